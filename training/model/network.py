"""What every network here has in common: four stages of MEF and attention, and branches made of their outputs."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn
from torch.nn import functional

from training.model.config import MiftConfig
from training.model.stage import make_stage


class Network(nn.Module):
    """Images in, one embedding per image out; images are normalised RGB [B, 3, S, S], S = config.input_size."""

    method: str
    """Name of the head over the stages, as recipes give it."""

    def __init__(self, config: MiftConfig, branch_count: int) -> None:
        """branch_count: branches that `describe` gives."""
        super().__init__()
        self.config = config
        self.branch_count = branch_count
        self.stages = nn.ModuleList(make_stage(config, index) for index in range(4))
        self.stages.apply(_init_transformer)

    @property
    def embedding_dim(self) -> int:
        """Length of the embedding."""
        return self.branch_count * self.config.head_dim

    def features(self, images: Tensor) -> list[Tensor]:
        """Outputs of stages 1 to 4, each [B, S_i, S_i, dim_i]."""
        outputs = []
        x = images.permute(0, 2, 3, 1)
        for stage in self.stages:
            x = stage(x)
            outputs.append(x)
        return outputs

    @abstractmethod
    def describe(self, stages: list[Tensor]) -> Tensor:
        """Branches [B, branch_count, head_dim] of the outputs of `features`, not L2-normalised.

        Only this part mixes images, through batch normalisation.
        """

    def branches(self, images: Tensor) -> Tensor:
        """[B, branch_count, head_dim], not L2-normalised."""
        return self.describe(self.features(images))

    def forward(self, images: Tensor) -> Tensor:
        """[B, embedding_dim]: each branch L2-normalised, concatenated, and normalised again."""
        return join_branches(self.branches(images))


def join_branches(branches: Tensor) -> Tensor:
    """The embedding [B, K * d] of branches [B, K, d]: each normalised, concatenated, normalised again."""
    return functional.normalize(functional.normalize(branches, dim=2).flatten(1), dim=1)


def _init_transformer(module: nn.Module) -> None:
    """Truncated normal weights of 0.02, zero biases: the usual start of a transformer trained from scratch."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
