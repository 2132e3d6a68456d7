"""The network as it flies computes what the network as trained does, in the operations that runtimes fuse."""

import dataclasses

import onnx
import onnxruntime
import pytest
import torch

from export.flight_form import RowConvolutions, flight_form
from export.onnx import to_onnx
from training.checkpoint import identify
from training.model.config import VARIANTS, AttentionKind
from training.model.mef import WideConv2d
from training.model.mift import Mift


def network(kind=AttentionKind.GLRA, variant="mift_pico"):
    """Random biases too: a fresh network has none, and so would not show one that is forgotten."""
    torch.manual_seed(0)
    model = Mift(dataclasses.replace(VARIANTS[variant], attention=kind)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("kind", list(AttentionKind))
def test_it_computes_the_same(kind):
    model = network(kind)
    images = torch.randn(3, 3, 96, 96)
    with torch.no_grad():
        assert torch.allclose(flight_form(model)(images), model(images), atol=2e-6)


def test_the_network_as_trained_is_left_as_it_is():
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    flight_form(model)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_wide_kernels_by_rows_are_the_same_convolutions():
    torch.manual_seed(0)
    wide = [WideConv2d(3, 5, 16, 4), WideConv2d(3, 7, 32, 4)]
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        for rows, whole in zip(RowConvolutions(wide)(images), (conv(images) for conv in wide)):
            assert torch.allclose(rows, whole, atol=1e-5)


def test_onnx_runtime_fuses_gelu_and_products_with_their_biases(tmp_path):
    model = network()
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    exported = to_onnx(model, identify(model, recipe="test")).SerializeToString()
    onnxruntime.InferenceSession(exported, options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node]
    layers = sum(model.config.depths)
    assert kinds.count("Gelu") == layers and "Erf" not in kinds
    assert kinds.count("Gemm") >= 6 * layers  # query, key, value, projection and both of the perceptron
    assert kinds.count("Split") < layers  # queries, keys and values are not cut out of one product
