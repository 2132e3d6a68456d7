"""Each attention kind of Tables 6 and 8 exports, and computes what PyTorch computes."""

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


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", [AttentionKind.SWIN, AttentionKind.PVT, AttentionKind.MHA])
def test_onnx_runtime_agrees_with_pytorch_at_every_batch(kind):
    torch.manual_seed(0)
    config = MiftConfig(
        "tiny", 64, (16, 16, 16, 16), (2, 2, 2, 2), (1, 1, 2, 2), 4, (4, 4, 8, 8), 8, attention=kind, drop_path=0.1
    )
    network = Mift(config).eval()
    for result in compare(network, to_onnx(network, identify(network, "untrained")), (1, 2, 7)):
        assert result.holds
        assert result.max_difference < 1e-5
