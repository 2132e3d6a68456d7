"""Benchmarks: times in turns, floors that follow from counted work, commands that end with the machine they ran on."""

import time

import numpy as np
import onnx
import pytest
import typer
from onnx import TensorProto, helper
from typer.testing import CliRunner

from mift_ros.commands import bench
from mift_ros.commands.bench_speed import PRODUCT, product_floor
from mift_ros.commands.measure import MATRIX_OPERATIONS, PAUSE_S, WARM_UPS, Times, measure, reading
from mift_ros.inference.operations import operations


def test_calls_are_timed_in_turns_after_warming_up():
    order = []
    times = measure({name: lambda name=name: order.append(name) for name in "ab"}, 4, "")
    assert "".join(order) == "ab" * (WARM_UPS + 4)
    assert [len(times[name].clock_s) for name in "ab"] == [4, 4]


def test_before_each_call_the_threads_of_the_last_one_may_go_to_sleep():
    starts = []
    measure({name: lambda: starts.append(time.monotonic()) for name in "ab"}, 3, "")
    assert min(np.diff(starts)) >= PAUSE_S


def test_median_and_p95():
    times = Times([1.0, 2.0, 3.0, 4.0, 100.0], [0.5] * 5)
    assert times.median_s == 3.0
    assert times.p95_s == pytest.approx(80.8)
    assert times.median_processor_s == 0.5


def test_the_floor_is_the_same_operations_at_the_measured_rate():
    times = {PRODUCT: Times([9.0], [2.0])}  # a clock that ran on while others had the processor
    assert product_floor(MATRIX_OPERATIONS // 4, 2, times) == pytest.approx(1.0)
    assert product_floor(None, 2, times) is None


def test_all_of_an_array_is_read(monkeypatch):
    copied = []
    monkeypatch.setattr(np, "copyto", lambda place, part: copied.append(part.nbytes))
    reading(np.zeros((1000, 333), np.float16))()
    assert sum(copied) == 1000 * 333 * 2


def test_operations_counted_by_hand(tmp_path):
    """A 3x3 convolution of 3 into 8 planes of 10 x 10, then 800 numbers times a matrix into 5."""
    weights = [
        helper.make_tensor("kernel", TensorProto.FLOAT, (8, 3, 3, 3), np.zeros(216)),
        helper.make_tensor("matrix", TensorProto.FLOAT, (800, 5), np.zeros(4000)),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["planes"], pads=[1, 1, 1, 1]),
        helper.make_node("Flatten", ["planes"], ["row"]),
        helper.make_node("Gemm", ["row", "matrix"], ["y"]),
    ]
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", ["batch", 3, 10, 10]), ("y", ["batch", 5]))
    ]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), tmp_path / "m.onnx")
    assert operations(tmp_path / "m.onnx") == 2 * 8 * 100 * 27 + 2 * 800 * 5


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        (["search", "--tiles", "500", "--repeats", "3"], ["1 queries", "36 queries", "read the tiles once"]),
        (["inference", "--repeats", "3"], ["mift_nano, batch 1", "mift_nano, batch 54"]),
    ],
)
def test_commands_show_floors_and_the_machine(arguments, rows, monkeypatch):
    monkeypatch.setattr("mift_ros.commands.measure.WARM_UPS", 0)
    result = CliRunner().invoke(bench.app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    for text in [*rows, "floor", "GFLOP/s", "peak memory", "mift_ros 0."]:
        assert text in result.stdout


def test_the_scene_of_the_pipeline_is_found(monkeypatch):
    from mift_ros.commands.bench_scene import Scene, stages
    from mift_ros.inference.load import load_embedder

    of_case = stages(Scene.over(400, load_embedder("mift_nano", 1)).known())
    assert of_case.outcome == "published"
    assert of_case.patches == 1
    assert list(of_case.calls) == ["decode", "rectify", "embed", "search", "all"]


def test_eager_pytorch_is_compared_in_the_same_run(monkeypatch):
    """Through the command itself; mift_pico and the packaged network differ, which a benchmark need not know.

    Its threads are its own: two processes of one training run are only bit for bit alike with as many.
    """
    import torch

    from export.bench_commands import eager

    monkeypatch.setattr("mift_ros.commands.measure.WARM_UPS", 0)
    app = typer.Typer()
    app.command()(eager)
    threads = torch.get_num_threads()
    command = ["mift_pico", "--model", "mift_nano", "--repeats", "3", "--threads", str(threads + 1)]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0 and torch.get_num_threads() == threads
    assert "PyTorch, batch 36" in result.stdout
    assert "times as fast as PyTorch" in result.stdout
