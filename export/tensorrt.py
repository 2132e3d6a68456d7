"""ONNX to a TensorRT engine in the store: built only when there is none for exactly this, and it says why."""

from __future__ import annotations

from pathlib import Path

import onnx

from export.half import to_half
from export.model_file import QUANTISERS, read_model
from export.opset17 import to_opset_17
from export.tensorrt_builder import Request, build_plan
from export.tensorrt_monitor import Progress
from mift_ros.errors import ExportError
from mift_ros.inference.embedder import PRECISIONS
from mift_ros.inference.engine_key import EngineKey, Platform, StaleEngineError
from mift_ros.inference.engines import check_key, is_stored, read_engine, read_record, sha256_of, write_engine
from mift_ros.inference.tensorrt_versions import Rules, opset_for, rules, wants_half_graph


def why_build(request: Request, platform: Platform) -> str | None:
    """Why an engine has to be built; None when the one in the store is exactly what is asked for.

    Raises:
        StaleEngineError: the store cannot be looked into, so that nothing could be kept there either.
    """
    if not is_stored(request.path):
        return "there is none yet"
    try:
        record = read_record(request.path)
        check_key(request.path, record, _key(request, platform))
        read_engine(request.path, record)
    except StaleEngineError as error:
        return str(error)
    return None


def build(request: Request, platform: Platform, progress: Progress = lambda phase, done, total: None) -> Path:
    """Build the engine and store it, whatever is there.

    Raises:
        ExportError: the model cannot be built: without identity, opset too old, a layer that TensorRT lacks, memory.
        ModelError: this TensorRT is not supported, or the store cannot be written to.
        KeyboardInterrupt: the build was interrupted; the store is as it was.
    """
    row = rules(platform.tensorrt)
    proto, identity = read_model(request.onnx)
    prepared = prepare(proto, row, request.precision, request.onnx)
    plan = build_plan(prepared, identity, request, row, progress)
    key = _key(request, platform)
    write_engine(request.path, plan, key, identity)
    return request.path


def _key(request: Request, platform: Platform) -> EngineKey:
    return EngineKey.of(sha256_of(request.onnx), request.precision, request.batches, platform)


def prepare(proto: onnx.ModelProto, row: Rules, precision: str, where: Path) -> onnx.ModelProto:
    """The graph as this TensorRT wants it for this precision.

    Raises:
        ExportError: a precision that does not fit the graph, an opset that cannot be brought to what TensorRT reads.
        ModelError: the opset is too old.
    """
    if precision not in PRECISIONS:
        raise ExportError(f"precision {precision!r}: choose one of {', '.join(PRECISIONS)}")
    _check_quantisation(proto, precision, where)
    if any(weight.data_type == onnx.TensorProto.FLOAT16 for weight in proto.graph.initializer):
        raise ExportError(f"{where}: is a float16 model; give the float32 one, the engine's float16 is chosen here")
    opset = next(entry.version for entry in proto.opset_import if entry.domain == "")
    wanted = opset_for(row, opset, str(where))
    if wanted != opset and wanted != 17:
        raise ExportError(f"{where}: ONNX opset {opset} is newer than TensorRT reads; export it with opset {wanted}")
    if wanted != opset:
        proto = to_opset_17(proto)
    return to_half(proto) if wants_half_graph(row, precision) else proto


def _check_quantisation(proto: onnx.ModelProto, precision: str, where: Path) -> None:
    """INT8 is what the graph says by QuantizeLinear and DequantizeLinear, signed and around zero."""
    nodes = [node for node in proto.graph.node if node.op_type in QUANTISERS]
    if (precision == "int8") != bool(nodes):
        told = "has none: quantise it first" if precision == "int8" else "has some: it is an int8 model"
        raise ExportError(f"{where}: {precision} and QuantizeLinear/DequantizeLinear layers, of which it {told}")
    weights = {weight.name: weight for weight in proto.graph.initializer}
    for node in nodes:
        zero = weights.get(node.input[2]) if len(node.input) > 2 else None
        if zero is not None and (zero.data_type == onnx.TensorProto.UINT8 or onnx.numpy_helper.to_array(zero).any()):
            raise ExportError(
                f"{where}: {node.op_type} {node.name} is not signed and symmetric; TensorRT takes int8 around zero only"
            )
