"""What each method of Table 3 is made of: its network, the loss it trains with and how it samples."""

from __future__ import annotations

from dataclasses import dataclass

from training.recipes.schema import LossSpec

IDENTITY = LossSpec(identity=1.0)
FAMILY = LossSpec(identity=1.0, triplet=1.0, margin=0.3, hardest=True)
"""Loss of FSRA's public code (train.py): cross-entropy averaged over branches, and the triplet between views."""


@dataclass(frozen=True)
class Method:
    """network: import path, module:class; per_class: images of each view and class a step; source: of the loss."""

    network: str
    loss: LossSpec
    per_class: int
    source: str


METHODS: dict[str, Method] = {
    "instance": Method(
        "training.methods.instance:InstanceNetwork", IDENTITY, 1, "University-1652 baseline, train.py: cross-entropy"
    ),
    "gem": Method("training.methods.gem:GemNetwork", IDENTITY, 1, "University-1652 baseline, --pool gem"),
    "lcm": Method(
        "training.methods.instance:LcmNetwork",
        IDENTITY,
        3,
        "Ding et al. 2020: cross-entropy, satellites expanded",
    ),
    "lpn": Method(
        "training.methods.lpn:LpnNetwork", LossSpec(identity=4.0), 1, "LPN, train.py: cross-entropy summed over 4 rings"
    ),
    "sgm": Method(
        "training.methods.heat_parts:SgmNetwork", FAMILY, 1, "code not public: the loss of FSRA, by the same group"
    ),
    "fsra": Method("training.methods.heat_parts:FsraNetwork", FAMILY, 3, "FSRA, train.py; k = 3 is its best"),
    "paan": Method("training.methods.paan:PaanNetwork", FAMILY, 1, "code not public: the loss of FSRA"),
}
"""Methods beside MIFT itself, in the order of Table 3. All train by the SGD of section 4.2, which is also FSRA's."""
