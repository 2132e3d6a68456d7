"""The engine store: an engine is loaded where, and only where, it was built for exactly this."""

import hashlib
import json
import threading
from dataclasses import replace

import pytest

from mift_ros.errors import ModelError
from mift_ros.files import write_file
from mift_ros.inference.engine_key import RECIPE, EngineKey, EngineRecord, Platform, StaleEngineError
from mift_ros.inference.engines import (
    FOLDER_VARIABLE,
    check_key,
    default_folder,
    engine_path,
    read_engine,
    read_record,
    record_path,
    sha256_of,
    write_engine,
)

ORIN = Platform("10.3.0", "Orin, 16 multiprocessors", "8.7")
ENGINE = bytes(range(256)) * 40


@pytest.fixture
def key(onnx):
    return EngineKey.of(sha256_of(onnx), "fp16", (1, 36), ORIN)


@pytest.fixture
def stored(tmp_path, onnx, key, tiny):
    """The path of an engine as the builder leaves it."""
    path = engine_path(onnx, "fp16", tmp_path / "store")
    write_engine(path, ENGINE, key, tiny.identity())
    return path


def load(path, wanted):
    record = read_record(path)
    check_key(path, record, wanted)
    return read_engine(path, record)


def test_the_key_says_model_precision_batches_tensorrt_and_gpu(key):
    assert key == EngineKey(
        hashlib.sha256(b"a model").hexdigest(), "fp16", (1, 36), "10.3.0", "Orin, 16 multiprocessors", "8.7"
    )


def test_what_was_stored_comes_back_for_the_same_key(stored, key, tiny):
    assert load(stored, key) == ENGINE
    assert read_record(stored).identity == tiny.identity()
    names = sorted(path.name for path in stored.parent.iterdir())
    assert names == ["nano.fp16.engine", "nano.fp16.engine.json", "nano.fp16.lock"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"onnx_sha256": "0" * 64}, r"another ONNX model \([0-9a-f]{12}\)"),
        ({"precision": "fp32"}, "precision fp16, not fp32"),
        ({"batches": (1, 36, 108)}, "batches 1,36, not 1,36,108"),
        ({"tensorrt": "10.13.0"}, r"TensorRT 10\.3\.0, not 10\.13\.0"),
        ({"gpu": "Orin, 8 multiprocessors"}, "the GPU Orin, 16 multiprocessors, not Orin, 8 multiprocessors"),
        ({"compute_capability": "8.9"}, r"compute capability 8\.7, not 8\.9"),
        ({"recipe": RECIPE + 1}, f"recipe {RECIPE}, not {RECIPE + 1}"),
    ],
)
def test_an_engine_for_another_key_is_stale_and_says_what_differs(stored, key, change, told):
    with pytest.raises(StaleEngineError, match=f"nano.fp16.engine: built for {told}$"):
        load(stored, replace(key, **change))


def test_an_engine_copied_from_another_machine_names_every_difference(stored, key):
    here = replace(key, tensorrt="10.13.0", gpu="NVIDIA RTX 4000, 48 multiprocessors", compute_capability="8.9")
    with pytest.raises(StaleEngineError, match=r"TensorRT 10\.3\.0.*; the GPU Orin.*; compute capability 8\.7"):
        load(stored, here)


@pytest.mark.parametrize("kept", [0, 1, len(ENGINE) - 1])
def test_a_half_written_engine_is_refused(stored, key, kept):
    stored.write_bytes(ENGINE[:kept])
    with pytest.raises(StaleEngineError, match=f"{kept} bytes instead of {len(ENGINE)}: half written or altered"):
        load(stored, key)


def test_an_altered_engine_of_the_same_size_is_refused(stored, key):
    stored.write_bytes(ENGINE[:-1] + b"\x00")
    with pytest.raises(StaleEngineError, match="its SHA-256 is not the recorded one"):
        load(stored, key)


def test_an_engine_whose_writing_was_cut_short_has_no_record_or_one_that_does_not_fit(stored, key):
    stored.write_bytes(b"the engine of a newer build, whose record was not reached")
    with pytest.raises(StaleEngineError, match="half written"):
        load(stored, key)
    record_path(stored).unlink()
    with pytest.raises(StaleEngineError, match=r"no record nano\.fp16\.engine\.json beside it"):
        load(stored, key)


def damage(field, value):
    def write(raw):
        raw[field] = value
        return json.dumps(raw)

    return write


@pytest.mark.parametrize(
    "write",
    [
        lambda raw: "",
        lambda raw: json.dumps(raw)[:100],
        lambda raw: "[]",
        damage("format", 2),
        damage("key", {}),
        damage("identity", {"name": "nano"}),
        damage("engine_bytes", "many"),
        lambda raw: json.dumps({**raw, "key": {**raw["key"], "batches": []}}),
        lambda raw: json.dumps({**raw, "key": {**raw["key"], "batches": [36, 1]}}),
        lambda raw: json.dumps({**raw, "key": {**raw["key"], "cuda": "12.6"}}),
        lambda raw: json.dumps({**raw, "key": {name: raw["key"][name] for name in raw["key"] if name != "recipe"}}),
    ],
    ids=[
        "empty", "cut", "list", "format", "key", "identity", "size", "no batches", "unsorted batches", "future field",
        "no recipe",
    ],
)  # fmt: skip
def test_a_damaged_record_is_refused(stored, key, write):
    beside = record_path(stored)
    beside.write_text(write(json.loads(beside.read_text())))
    with pytest.raises(StaleEngineError, match=r"nano\.fp16\.engine\.json: its record cannot be read"):
        load(stored, key)


def test_a_record_that_cannot_be_read_is_stale(stored, key):
    record_path(stored).unlink()
    record_path(stored).symlink_to("/proc/self/mem")  # a file that opens, and whose first byte nobody can read
    with pytest.raises(StaleEngineError, match=r"nano\.fp16\.engine\.json: cannot be read \(Input/output error\)"):
        load(stored, key)


def test_a_record_that_is_too_large_is_not_read(stored, key):
    record_path(stored).write_bytes(b" " * (1 << 17))
    with pytest.raises(StaleEngineError, match="too large to be a record"):
        load(stored, key)


def test_an_engine_larger_than_any_is_not_read(stored, key, monkeypatch):
    monkeypatch.setattr("mift_ros.inference.engines.MAX_ENGINE_BYTES", 100)
    with pytest.raises(StaleEngineError, match="bytes instead of"):
        load(stored, key)


def test_no_engine_is_said_so(tmp_path):
    with pytest.raises(StaleEngineError, match=r"none\.fp16\.engine: no such engine"):
        read_record(tmp_path / "none.fp16.engine")


def test_a_second_build_takes_the_place_of_the_first(stored, key, tiny):
    newer = replace(key, tensorrt="10.13.0")
    write_engine(stored, b"newer", newer, tiny.identity())
    assert load(stored, newer) == b"newer"


def test_two_builds_of_one_engine_leave_a_pair(stored, key, tiny, monkeypatch):
    """The first is between engine and record when the second comes."""
    newer, done = replace(key, batches=(1, 4)), []
    second = threading.Thread(
        target=lambda: done.append(write_engine(stored, b"the second's engine", newer, tiny.identity()))
    )

    def slowly(path, content):
        write_file(path, content)
        if content == b"the first's engine":
            second.start()
            second.join(0.3)
            assert not done

    monkeypatch.setattr("mift_ros.inference.engines.write_file", slowly)
    write_engine(stored, b"the first's engine", key, tiny.identity())
    second.join()
    assert load(stored, newer) == b"the second's engine"


def test_a_store_that_cannot_be_written_to_is_one_error_and_leaves_nothing(tmp_path, key, tiny):
    path = tmp_path / "nano.fp16.engine"
    path.mkdir()
    with pytest.raises(ModelError, match=r"nano\.fp16\.engine: the engine cannot be written"):
        write_engine(path, ENGINE, key, tiny.identity())
    assert not list(tmp_path.glob("*.tmp"))


def test_a_record_survives_its_json(key, tiny):
    record = EngineRecord(key, tiny.identity(), "ab" * 32, 7)
    assert EngineRecord.from_json(record.to_json(), "here") == record


def test_the_store_lies_in_the_cache_folder_unless_the_variable_moves_it(monkeypatch, tmp_path):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert default_folder() == tmp_path
    monkeypatch.delenv(FOLDER_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert default_folder() == tmp_path / "cache" / "mift_ros" / "engines"
