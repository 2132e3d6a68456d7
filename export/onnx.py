"""PyTorch network to ONNX: symbolic batch, whole LayerNormalization nodes, the identity in the metadata."""

from __future__ import annotations

import logging
import warnings

import onnx
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from export.flight_form import flight_form
from mift_ros.errors import ExportError
from mift_ros.inference.embedder import METADATA_KEY, ModelIdentity
from training.model.network import Network

OPSET = 18
"""LayerNormalization needs 17; TensorRT 10 reads up to 22."""
INPUT, OUTPUT = "images", "embedding"


def to_onnx(model: Network, identity: ModelIdentity) -> onnx.ModelProto:
    """The network as a checked ONNX model: images [batch, 3, S, S] float32 to embedding [batch, D] float32.

    It is exported as it flies (`flight_form`); the position bias tables become constants and batch normalisation folds
    into the convolutions.

    Raises:
        ExportError: PyTorch cannot export the network, or the result is not valid ONNX.
    """
    try:
        proto = _export(flight_form(model))
        strip_traces(proto)
        onnx.helper.set_model_props(proto, {METADATA_KEY: identity.to_json()})
        onnx.checker.check_model(proto, full_check=True)
    except (RuntimeError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ExportError(
            f"{identity.variant}: PyTorch {torch.__version__} cannot export it to ONNX ({reason})"
        ) from error
    return proto


def _export(model: Network) -> onnx.ModelProto:
    size = model.config.input_size
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    # The exporter cannot follow the memory layout of the fused CPU kernel of attention: export plain products.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model.eval(),
            (torch.zeros(2, 3, size, size),),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes={INPUT: {0: torch.export.Dim("batch", min=1)}},
            verbose=False,
        )
    if program is None:
        raise RuntimeError("the exporter returned nothing")
    return program.model_proto


def strip_traces(proto: onnx.ModelProto) -> None:
    """Remove the exporter's Python stack traces and source paths: a megabyte that says where it was built."""
    graph = proto.graph
    for entries in (graph.node, graph.value_info, graph.initializer, graph.input, graph.output):
        for entry in entries:
            entry.ClearField("metadata_props")
            entry.ClearField("doc_string")
    graph.ClearField("metadata_props")
    graph.ClearField("doc_string")
