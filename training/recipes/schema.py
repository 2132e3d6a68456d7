"""A recipe: everything that decides a training run."""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass, field
from typing import Any

from training.recipes.data_schema import DataSpec


@dataclass(frozen=True)
class BatchSpec:
    """Rows of one optimizer step over all processes: classes, images of each view per class (the paper's k, section
    4.4.4), and into how many backward passes the step is divided.
    """

    classes: int = 128
    per_class: int = 1
    accumulate: int = 1


@dataclass(frozen=True)
class LossSpec:
    """Weights of the terms; a term of weight 0 is not computed.

    triplet: Eq. 4 with margin, on every branch, between views only; hardest: of each anchor the hardest positive and
    negative instead of the mean over all; identity: cross-entropy of one classifier per branch over the training
    classes; infonce: symmetric, on the embedding, plus branch_weight times its mean over the branches, with
    label_smoothing.
    """

    triplet: float = 0.0
    margin: float = 0.3
    hardest: bool = False
    identity: float = 0.0
    infonce: float = 0.0
    branch_weight: float = 0.0
    label_smoothing: float = 0.0


class OptimizerKind(str, enum.Enum):
    """Update rule."""

    SGD = "sgd"
    ADAMW = "adamw"


@dataclass(frozen=True)
class OptimizerSpec:
    """Update rule with its rates; backbone_learning_rate is that of the stages (0: learning_rate), which hold the
    initial weights; momentum: of SGD; clip_norm 0: no clipping; ema_decay 0: no moving average, the weights themselves
    are kept.
    """

    kind: OptimizerKind = OptimizerKind.ADAMW
    learning_rate: float = 1.5e-3
    backbone_learning_rate: float = 0.0
    momentum: float = 0.9
    weight_decay: float = 0.05
    clip_norm: float = 1.0
    ema_decay: float = 0.99


@dataclass(frozen=True)
class ScheduleSpec:
    """Learning rate over the run: linear warm-up, then milestones (epochs after which it is multiplied by factor), or
    half a cosine to zero where there are none.
    """

    warmup_steps: int = 0
    milestones: tuple[int, ...] = ()
    factor: float = 0.1


@dataclass(frozen=True)
class EvaluationSpec:
    """How often the run is evaluated on what it does not train on: the test split of a multi-view set, or held-out
    places of orthophotos (side, most number and the seed of their views). queries: most drone queries, 0 for all.
    """

    every_steps: int = 100
    side_m: float = 72.0
    places: int = 600
    seed: int = 1
    queries: int = 0
    flip: bool = False


@dataclass(frozen=True)
class NetworkSpec:
    """Changes to the variant, for ablations; empty values and 0 leave it as it is.

    attention: glra, local, swin, pvt or mha; kernels: of the four embedding layers; regions: of the heat map; head_dim:
    width of a branch; drop_path: stochastic depth; fusion: MFF, without which the global feature is that of stage 4;
    grid: cells a side in place of the global branch and the regions; input_size: pixels a side of an image, and group:
    side of an attention group in tokens, to train at a lower resolution first.
    """

    attention: str = ""
    kernels: tuple[tuple[int, ...], ...] = ()
    regions: int = 0
    head_dim: int = 0
    drop_path: float = 0.0
    fusion: bool = True
    grid: int = 0
    input_size: int = 0
    group: int = 0


@dataclass(frozen=True)
class Recipe:
    """A training run.

    method: head over the stages (training/methods); epochs: length of a multi-view run, an epoch showing every class
    once; steps: length in steps, instead; precision: float32 or bfloat16 (autocast); workers: processes that prepare
    batches (0: none).
    """

    name: str
    variant: str
    data: DataSpec
    loss: LossSpec
    method: str = "mift"
    network: NetworkSpec = field(default_factory=NetworkSpec)
    seed: int = 0
    epochs: int = 0
    steps: int = 0
    batch: BatchSpec = field(default_factory=BatchSpec)
    precision: str = "float32"
    workers: int = 0
    checkpoint_minutes: float = 5.0
    checkpoint_steps: int = 0
    optimizer: OptimizerSpec = field(default_factory=OptimizerSpec)
    schedule: ScheduleSpec = field(default_factory=ScheduleSpec)
    evaluation: EvaluationSpec = field(default_factory=EvaluationSpec)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as YAML and checkpoints hold them."""
        return asdict(self, dict_factory=_plain)


def _plain(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: value.value if isinstance(value, enum.Enum) else value for key, value in items}
