"""Each attention kind of Tables 6 and 8, and a network with other parts, computes as ONNX what it does in PyTorch."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="export needs PyTorch")
pytest.importorskip("onnx", reason="export needs onnx")
pytest.importorskip("onnxscript", reason="export needs onnxscript")
pytest.importorskip("onnxruntime", reason="parity needs ONNX Runtime")

from export.onnx import to_onnx  # noqa: E402
from export.parity import compare  # noqa: E402
from training.checkpoint import identify  # noqa: E402
from training.model.config import AttentionKind, MiftConfig  # noqa: E402
from training.model.mift import Mift  # noqa: E402

TINY = MiftConfig("tiny", 64, (16, 16, 16, 16), (2, 2, 2, 2), (1, 1, 2, 2), 4, (4, 4, 8, 8), 8, drop_path=0.1)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "changes",
    [
        {"attention": AttentionKind.SWIN},
        {"attention": AttentionKind.PVT},
        {"attention": AttentionKind.MHA},
        {"attention": AttentionKind.LOCAL, "fusion": False, "regions": 1},
        {"grid": 2},
    ],
)
def test_onnx_runtime_agrees_with_pytorch_at_every_batch(changes):
    torch.manual_seed(0)
    network = Mift(replace(TINY, **changes)).eval()
    for result in compare(network, to_onnx(network, identify(network, "untrained")), (1, 2, 7)):
        assert result.holds
        assert result.max_difference < 1e-5
