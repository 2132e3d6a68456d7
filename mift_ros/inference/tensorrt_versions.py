"""What each TensorRT asks of its user, as a table: pure functions of its version, without TensorRT."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mift_ros.errors import ModelError

Version = tuple[int, int]

MIN_OPSET = 17
"""LayerNormalization became one layer in opset 17; taken apart it overflows in float16."""


@dataclass(frozen=True)
class Rules:
    """One row of the table.

    Attributes:
        since: first version it holds for.
        max_opset: newest ONNX operator set that the parser reads.
        strongly_typed: precision is what the graph says; else it is asked for by builder flags.
        network_flags: names in NetworkDefinitionCreationFlag.
        progress: the builder reports progress (IProgressMonitor).
    """

    since: Version
    max_opset: int
    strongly_typed: bool
    network_flags: tuple[str, ...]
    progress: bool


TABLE = (
    Rules((8, 6), 17, False, ("EXPLICIT_BATCH",), progress=False),
    Rules((10, 0), 20, True, ("STRONGLY_TYPED",), progress=True),
    Rules((10, 9), 22, True, ("STRONGLY_TYPED",), progress=True),
    Rules((10, 13), 24, True, ("STRONGLY_TYPED",), progress=True),
    # every network is strongly typed from 11.0 on; the flag is still there and changes nothing
    Rules((11, 0), 25, True, ("STRONGLY_TYPED",), progress=True),
)
"""A version is served by the last row that is not newer; 9.x never came to Jetson or to a driver and is left out."""

WEAK_FLAGS = {
    "fp32": (),
    "fp16": ("FP16", "OBEY_PRECISION_CONSTRAINTS"),
    "int8": ("INT8",),
}
"""Builder flags of weakly typed versions, by precision; strongly typed ones refuse (10) or lack (11) them."""

FLOAT32_LAYERS = ("NORMALIZATION", "SOFTMAX", "REDUCE", "UNARY")
"""Kinds of layer (LayerType) held in float32 where FP16 is a flag; UNARY takes the root of a sum of squares.
With them, or WEAK_FLAGS, engine_key.RECIPE changes."""


def parse_version(text: str) -> Version:
    """Major and minor of e.g. '10.3.0.26'.

    Raises:
        ModelError: it does not begin with two numbers.
    """
    found = re.match(r"(\d+)\.(\d+)", text)
    if found is None:
        raise ModelError(f"TensorRT {text!r}: its version cannot be read")
    return int(found[1]), int(found[2])


def rules(text: str) -> Rules:
    """The row that serves a TensorRT version.

    Raises:
        ModelError: older than 8.6, or 9.x.
    """
    version = parse_version(text)
    if version < TABLE[0].since or version[0] == 9:
        raise ModelError(f"TensorRT {text} is not supported: 8.6 and 10.0 or newer are (JetPack 6 or 7, or pip)")
    return [row for row in TABLE if row.since <= version][-1]


def builder_flags(row: Rules, precision: str) -> tuple[str, ...]:
    """Names in BuilderFlag to set for one of PRECISIONS."""
    return () if row.strongly_typed else WEAK_FLAGS[precision]


def holds_layers(row: Rules, precision: str) -> bool:
    """Whether FLOAT32_LAYERS are to be held in float32 layer by layer."""
    return precision == "fp16" and not row.strongly_typed


def wants_half_graph(row: Rules, precision: str) -> bool:
    """Whether the ONNX graph itself must say float16."""
    return precision == "fp16" and row.strongly_typed


def opset_for(row: Rules, opset: int, where: str) -> int:
    """The operator set to hand to the parser, `opset` itself where it can be read.

    Raises:
        ModelError: the model is older than MIN_OPSET.
    """
    if opset < MIN_OPSET:
        raise ModelError(
            f"{where}: ONNX opset {opset} is too old, LayerNormalization needs {MIN_OPSET}: export it again with "
            f"'mift export onnx'"
        )
    return min(opset, row.max_opset)
