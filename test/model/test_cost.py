"""`mift model info`."""

import pytest

torch = pytest.importorskip("torch", reason="the network needs PyTorch")

from typer.testing import CliRunner  # noqa: E402

from training.model.cost import cost  # noqa: E402
from training.model.mift import build  # noqa: E402
from training.model_commands import app  # noqa: E402


@pytest.fixture(scope="module")
def network():
    return build("mift_nano")


def test_parts_add_up_to_the_whole(network):
    *parts, total = cost(network)
    assert total.parameters == sum(part.parameters for part in parts) == sum(p.numel() for p in network.parameters())
    assert total.flops == sum(part.flops for part in parts)


def test_flops_of_stage_one_are_those_computed_by_hand(network):
    flops = {row.part: row.flops for row in cost(network)}
    tokens, dim, group = 32 * 32, 32, 64
    assert flops["stage 1 MEF"] == 2 * tokens * 3 * (16 * 4**2 + 8 * 8**2 + 4 * 16**2 + 4 * 32**2)
    assert flops["stage 1 GLRA"] == 2 * (2 * tokens * (12 * dim**2 + 2 * group * dim))


def test_info_shows_parts_and_totals():
    result = CliRunner().invoke(app, ["info", "--variant", "mift_nano"])
    assert result.exit_code == 0
    assert "128x128 RGB in, 256 out" in result.output
    for part in ("stage 1 MEF", "stage 4 GLRA", "MFF", "regions", "heads", "total"):
        assert part in result.output
