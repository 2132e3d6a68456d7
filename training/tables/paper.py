"""Tables 3, 5, 6, 7 and Fig. 13: what each row changes in a recipe, and what the paper measured on University-1652."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import yaml

from training.methods.table import METHODS

ROWS = 24
"""Images of each view a step in every row, whatever k: 8 classes, k = 3 (section 4.2)."""


@dataclass(frozen=True)
class Figures:
    """Percent: R@1 and AP of drone->satellite, then of satellite->drone."""

    drone_r1: float
    drone_ap: float
    satellite_r1: float
    satellite_ap: float


@dataclass(frozen=True)
class Experiment:
    """A row: a recipe of training/recipes with changes (as --set), and the paper's figures where it prints any."""

    label: str
    recipe: str
    changes: tuple[str, ...]
    paper: Figures | None


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper, or the figure that shows one."""

    title: str
    experiments: tuple[Experiment, ...]


def sampled(per_class: int) -> tuple[str, ...]:
    """As many images of each view and class, and as many classes as make ROWS rows."""
    return (f"batch.per_class={per_class}", f"batch.classes={round(ROWS / per_class)}")


def _method(name: str, label: str, *figures: float) -> Experiment:
    method = METHODS[name]
    loss = yaml.safe_dump({key: value for key, value in asdict(method.loss).items() if value}, default_flow_style=True)
    changes = (f"method={name}", f"loss={loss.strip()}", *sampled(method.per_class))
    return Experiment(label, "paper", changes, Figures(*figures))


def _mift(label: str, change: str, *figures: float) -> Experiment:
    return Experiment(label, "paper", (change,) if change else (), Figures(*figures) if figures else None)


TABLES: dict[str, PaperTable] = {
    "methods": PaperTable(
        "Table 3: methods",
        (
            _method("instance", "Instance loss", 58.23, 62.91, 74.47, 59.45),
            _method("gem", "Instance loss + GeM", 65.32, 69.61, 79.03, 65.35),
            _method("lcm", "LCM", 66.65, 70.82, 79.89, 65.38),
            _method("lpn", "LPN", 75.93, 79.14, 86.45, 74.79),
            _method("sgm", "SGM", 82.14, 84.72, 88.16, 81.81),
            _method("fsra", "FSRA", 84.51, 86.71, 88.45, 83.47),
            _method("paan", "PAAN", 84.51, 86.78, 91.01, 82.28),
            _mift("MIFT (paper.yaml)", "", 87.84, 89.62, 92.30, 87.66),
            Experiment("MIFT (infonce.yaml)", "infonce", (f"batch.classes={ROWS}",), None),
        ),
    ),
    "k": PaperTable(
        "Table 7: samples per class",
        tuple(
            Experiment(f"k = {k}", "paper", sampled(k), Figures(*figures))
            for k, figures in enumerate(
                (
                    (85.13, 87.40, 90.01, 84.35),
                    (87.24, 88.97, 91.85, 87.02),
                    (87.84, 89.62, 92.30, 87.66),
                    (86.98, 88.94, 91.55, 86.93),
                    (86.57, 88.35, 90.88, 85.44),
                ),
                start=1,
            )
        ),
    ),
    "kernels": PaperTable(
        "Table 5: kernels of the embedding layers",
        (
            _mift("4 | 2 | 2 | 2", "network.kernels=[[4], [2], [2], [2]]", 84.80, 87.17, 88.87, 82.04),
            _mift(
                "4 8 | 2 4 | 2 4 | 2 4", "network.kernels=[[4, 8], [2, 4], [2, 4], [2, 4]]", 85.02, 87.54, 88.90, 83.21
            ),
            _mift("4 8 16 32 | 2 4 | 2 4 | 2 4", "", 86.13, 88.43, 90.91, 85.15),
            _mift(
                "4 8 16 32 | 2 4 8 | 2 4 8 | 2 4 8",
                "network.kernels=[[4, 8, 16, 32], [2, 4, 8], [2, 4, 8], [2, 4, 8]]",
                *(86.02, 88.25, 89.03, 84.87),
            ),
        ),
    ),
    "attention": PaperTable(
        "Table 6: attention",
        (
            _mift("MHA", "network.attention=mha", 84.70, 84.52, 86.97, 83.04),
            _mift("PVT", "network.attention=pvt", 85.42, 87.65, 88.88, 84.62),
            _mift("Swin", "network.attention=swin", 86.11, 88.33, 90.02, 85.05),
            _mift("GLRA", "", 86.13, 88.43, 90.91, 85.15),
        ),
    ),
    "regions": PaperTable(
        "Fig. 13: regions (a graph without numbers; the paper names n = 3 the best)",
        (
            _mift("n = 1", "network.regions=1"),
            _mift("n = 2", "network.regions=2"),
            _mift("n = 3", "", 87.84, 89.62, 92.30, 87.66),
            _mift("n = 4", "network.regions=4"),
        ),
    ),
}
