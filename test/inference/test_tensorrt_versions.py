"""What each version of TensorRT asks for."""

import pytest

from mift_ros.errors import ModelError
from mift_ros.inference.embedder import PRECISIONS
from mift_ros.inference.tensorrt_versions import (
    MIN_OPSET,
    TABLE,
    builder_flags,
    holds_layers,
    opset_for,
    parse_version,
    rules,
    wants_half_graph,
)

STRONG = ("10.0.1", "10.3.0.26", "10.9.0.34", "10.13.0.35", "11.0.0", "11.4.0.106", "12.0.0")


@pytest.mark.parametrize(
    ("text", "version"), [("8.6.1", (8, 6)), ("8.6.2.3", (8, 6)), ("10.13.0.35", (10, 13)), ("11.0.0rc1", (11, 0))]
)
def test_a_version_is_its_first_two_numbers(text, version):
    assert parse_version(text) == version


@pytest.mark.parametrize(
    ("text", "opset"),
    [("8.6.1", 17), ("8.6.2", 17), ("10.0.1", 20), ("10.3.0", 20), ("10.8.0", 20), ("10.9.0", 22), ("10.12.0", 22),
     ("10.13.0", 24), ("10.16.1", 24), ("11.0.0", 25), ("11.4.1", 25), ("12.1.0", 25)],
)  # fmt: skip
def test_the_newest_opset_that_is_read(text, opset):
    assert rules(text).max_opset == opset


@pytest.mark.parametrize("text", ["7.1.3", "8.4.1", "8.5.2", "9.3.0"])
def test_older_versions_are_refused(text):
    with pytest.raises(ModelError, match=f"TensorRT {text} is not supported: 8.6 and 10.0 or newer are"):
        rules(text)


@pytest.mark.parametrize("text", ["", "ten", "10"])
def test_a_version_that_is_none_is_refused(text):
    with pytest.raises(ModelError, match="its version cannot be read"):
        rules(text)


def test_version_8_6_is_asked_by_flags_and_held_layer_by_layer():
    row = rules("8.6.1")
    assert row.network_flags == ("EXPLICIT_BATCH",)
    assert not row.strongly_typed and not row.progress
    assert [builder_flags(row, precision) for precision in PRECISIONS] == [
        (), ("FP16", "OBEY_PRECISION_CONSTRAINTS"), ("INT8",),
    ]  # fmt: skip
    assert [holds_layers(row, precision) for precision in PRECISIONS] == [False, True, False]
    assert not any(wants_half_graph(row, precision) for precision in PRECISIONS)


@pytest.mark.parametrize("text", STRONG)
def test_from_10_on_the_graph_says_the_types_and_no_precision_flag_is_set(text):
    row = rules(text)
    assert row.strongly_typed and row.progress
    assert row.network_flags == ("STRONGLY_TYPED",)
    assert [builder_flags(row, precision) for precision in PRECISIONS] == [(), (), ()]
    assert not any(holds_layers(row, precision) for precision in PRECISIONS)
    assert [wants_half_graph(row, precision) for precision in PRECISIONS] == [False, True, False]


def test_an_opset_that_can_be_read_is_left_alone_and_a_newer_one_is_brought_down():
    assert opset_for(rules("10.3.0"), 18, "m.onnx") == 18
    assert opset_for(rules("8.6.1"), 17, "m.onnx") == 17
    assert opset_for(rules("8.6.1"), 18, "m.onnx") == 17


@pytest.mark.parametrize("row", TABLE, ids=[str(row.since) for row in TABLE])
def test_an_opset_without_layer_normalisation_is_too_old_everywhere(row):
    with pytest.raises(ModelError, match=r"m\.onnx: ONNX opset 16 is too old.*mift export onnx"):
        opset_for(row, MIN_OPSET - 1, "m.onnx")


def test_the_table_is_sorted():
    assert [row.since for row in TABLE] == sorted(row.since for row in TABLE)
