"""One pooled feature: the University-1652 baseline and LCM."""

from __future__ import annotations

from torch import Tensor

from training.model.config import MiftConfig
from training.model.head import BottleneckHead
from training.model.network import Network


class InstanceNetwork(Network):
    """Global average pooling and one bottleneck.

    Zheng, Zheng, Garrett, Yang, Xu, Shen, "Dual-path convolutional image-text embeddings with instance loss", ACM TOMM
    16(2), 2020, and Zheng, Wei, Yang, "University-1652", ACM MM 2020, section 4.1: both views share the network and one
    classifier over the places. Simplified: no dropout before the classifier, as in every method here.
    """

    method = "instance"

    def __init__(self, config: MiftConfig) -> None:
        super().__init__(config, 1)
        self.head = BottleneckHead(config.dims[3], config.head_dim)

    def pool(self, patches: Tensor) -> Tensor:
        """Stage 4 patches [B, P, C] to one feature [B, C]."""
        return patches.mean(dim=1)

    def describe(self, stages: list[Tensor]) -> Tensor:
        """Branches [B, 1, head_dim] of the outputs of `features`."""
        feature: Tensor = self.head(self.pool(stages[-1].flatten(1, 2)))
        return feature.unsqueeze(1)


class LcmNetwork(InstanceNetwork):
    """The same head, trained on multiplied satellite images.

    Ding, Zhou, Meng, Long, "A practical cross-view image matching method between UAV and satellite for UAV-based
    geo-localization", Remote Sensing 13(1), 47, 2020: location classification, with the one satellite image of a place
    expanded by augmentation to balance its many drone images. Simplified: the expansion is this loop's multiple
    sampling (k augmented satellite images beside k drone images) instead of copies on disk.
    """

    method = "lcm"
