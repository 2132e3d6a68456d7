"""ONNX files with the model's identity: read whole or refused, written whole or not at all. Needs no PyTorch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx

from mift_ros.errors import ExportError
from mift_ros.files import write_file
from mift_ros.inference.embedder import METADATA_KEY, ModelIdentity
from mift_ros.inference.tensorrt_versions import MIN_OPSET

MAX_ONNX_BYTES = 2 << 30
"""Where one protobuf file ends."""
QUANTISERS = ("QuantizeLinear", "DequantizeLinear")


def read_model(path: Path) -> tuple[onnx.ModelProto, ModelIdentity]:
    """An ONNX file and the identity in its metadata.

    Raises:
        ExportError: no such file, not ONNX, or without identity.
        ModelError: the identity cannot be read.
    """
    if not path.is_file() or path.stat().st_size > MAX_ONNX_BYTES:
        raise ExportError(f"{path}: no such ONNX file, or one beyond 2 GiB")
    try:
        proto = onnx.load(path)
        onnx.checker.check_model(proto)
    except Exception as error:  # protobuf's and onnx's errors share no base class but Exception
        raise ExportError(f"{path}: not a complete ONNX model ({str(error).strip().splitlines()[0]})") from error
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    if METADATA_KEY not in metadata:
        raise ExportError(
            f"{path}: no {METADATA_KEY!r} metadata, so its preprocessing is unknown; use 'mift export onnx'"
        )
    return proto, ModelIdentity.from_json(metadata[METADATA_KEY], str(path))


def read_float_model(path: Path) -> tuple[onnx.ModelProto, ModelIdentity]:
    """A float32 model to convert, as `read_model` reads it.

    Raises:
        ExportError: as `read_model`; or it is float16 or quantised already, or its opset is too old.
    """
    proto, identity = read_model(path)
    half = any(weight.data_type == onnx.TensorProto.FLOAT16 for weight in proto.graph.initializer)
    quantised = any(node.op_type in QUANTISERS for node in proto.graph.node)
    if half or quantised or identity.precision != "fp32":
        told = "int8" if quantised else "fp16" if half else identity.precision
        raise ExportError(f"{path}: is {told} already; give the float32 model that 'mift export onnx' wrote")
    opset = next(entry.version for entry in proto.opset_import if entry.domain == "")
    if opset < MIN_OPSET:
        raise ExportError(
            f"{path}: ONNX opset {opset} is too old, LayerNormalization needs {MIN_OPSET}: export it again with "
            f"'mift export onnx'"
        )
    return proto, identity


def name_precision(proto: onnx.ModelProto, identity: ModelIdentity, precision: str) -> None:
    """Say in the metadata, which keep nothing else, that these are the weights of `identity` in another precision."""
    del proto.metadata_props[:]
    onnx.helper.set_model_props(proto, {METADATA_KEY: replace(identity, precision=precision).to_json()})


def check_output(path: Path) -> None:
    """Fail before the work, not after it.

    Raises:
        ExportError: the folder of `path` does not exist, or `path` is a folder.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise ExportError(f"{path}: give the name of a file in an existing folder")


def write(proto: onnx.ModelProto, path: Path) -> None:
    """Write the model to a temporary name beside `path` and rename it.

    Raises:
        ExportError: the folder cannot be written to, or the disk is full.
    """
    try:
        write_file(path, proto.SerializeToString())
    except OSError as error:
        raise ExportError(f"{path}: cannot be written ({error.strerror})") from error
