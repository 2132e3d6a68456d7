"""`mift bench attention`: Table 8."""

import pytest

torch = pytest.importorskip("torch", reason="the network needs PyTorch")

import typer  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from mift_ros.errors import TrainingError  # noqa: E402
from training.bench_commands import attention  # noqa: E402
from training.model.config import AttentionKind, MiftConfig  # noqa: E402
from training.tables.attention_time import PAPER_SECONDS, time_attention, usable_device  # noqa: E402

TINY = MiftConfig("tiny", 64, (16, 16, 16, 16), (2, 2, 2, 2), (1, 1, 2, 2), 4, (4, 4, 8, 8), 8)


def test_each_kind_is_timed_and_attention_to_more_tokens_costs_more_operations():
    rows = {row.kind: row for row in time_attention(TINY, images=2, rounds=3, device=torch.device("cpu"))}
    assert set(rows) == set(PAPER_SECONDS)
    assert all(row.seconds > 0 for row in rows.values())
    assert rows[AttentionKind.SWIN].flops == rows[AttentionKind.GLRA].flops < rows[AttentionKind.MHA].flops


def test_the_table_stands_beside_the_papers_and_names_the_machine():
    app = typer.Typer()
    app.command()(attention)
    result = CliRunner().invoke(app, ["--variant", "mift_pico", "--images", "1", "--rounds", "1"])
    assert result.exit_code == 0, result.output
    rows = [line.replace("│", " ").split() for line in result.output.splitlines()]
    paper = {row[0]: row[-2:] for row in rows if row and row[0] in ("MHA", "PVT", "SWIN", "GLRA")}
    assert paper == {"MHA": ["16", "1.33"], "PVT": ["14", "1.17"], "SWIN": ["12", "1.00"], "GLRA": ["12", "1.00"]}
    assert f"torch {torch.__version__}" in result.output


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(TrainingError, match="--device cuda:99: PyTorch cannot use it here"):
        usable_device("cuda:99")
