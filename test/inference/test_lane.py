"""When a lane sets shapes, records and replays; the work itself needs a GPU."""

from types import SimpleNamespace

import pytest

from mift_ros.errors import ModelError
from mift_ros.inference.lane import Lane
from mift_ros.inference.tensorrt_log import MessageLog


class Calls(list):
    """Everything that was asked for, in order."""

    def note(self, name, answer=True):
        def call(*arguments):
            self.append((name, *arguments))
            return answer

        return call


@pytest.fixture(autouse=True)
def any_tensorrt(tensorrt):
    """The stand-in, in the place of a TensorRT that may be installed."""


@pytest.fixture
def calls():
    return Calls()


def lane_of(calls, graphs, log=None, runs=True, refuses_profile=False):
    def profile(index, stream):
        """As TensorRT's bindings: True, or RuntimeError."""
        if refuses_profile:
            raise RuntimeError("Error in set optimization profile async.")
        return calls.note("profile")(index, stream)

    def capture(work):
        calls.append(("record",))
        work()
        return SimpleNamespace(launch=calls.note("launch"), close=calls.note("drop"))

    context = SimpleNamespace(
        set_optimization_profile_async=profile,
        set_tensor_address=calls.note("address"),
        set_input_shape=calls.note("shape"),
        execute_async_v3=calls.note("run", runs),
    )
    stream = SimpleNamespace(handle=7, wait=calls.note("wait"), capture=capture)
    engine = SimpleNamespace(create_execution_context=lambda *_: context)
    lane = Lane(engine, 2, {"images": 10, "embedding": 20}, "images", (3, 64, 64), stream, log or MessageLog(), graphs)
    return lane


def test_a_lane_begins_with_its_profile_and_its_addresses(calls):
    lane_of(calls, graphs=False)
    assert calls == [("profile", 2, 7), ("address", "images", 10), ("address", "embedding", 20), ("wait",)]


def test_a_profile_that_is_refused_says_what_tensorrt_said(calls):
    log = MessageLog()
    with pytest.raises(ModelError, match="TensorRT failed while choosing its profile: it does not say why"):
        lane_of(calls, graphs=False, log=log, refuses_profile=True)
    log.take(True, "Cuda failure: out of memory")
    with pytest.raises(ModelError, match="out of GPU memory while choosing its profile"):
        lane_of(calls, graphs=False, log=log, refuses_profile=True)


def test_a_shape_is_set_when_it_changes(calls):
    lane = lane_of(calls, graphs=False)
    calls.clear()
    for batch in (5, 5, 6):
        lane.enqueue(batch)
    assert calls == [
        ("shape", "images", (5, 3, 64, 64)),
        ("run", 7),
        ("run", 7),
        ("shape", "images", (6, 3, 64, 64)),
        ("run", 7),
    ]


def test_a_repeated_batch_is_recorded_once_and_replayed_until_it_changes(calls):
    lane = lane_of(calls, graphs=True)
    calls.clear()
    for batch in (5, 5, 5, 6):
        lane.enqueue(batch)
    lane.close()
    assert [name for name, *_ in calls] == ["shape", "run", "record", "run", "launch", "launch", "drop", "shape", "run"]


def test_after_a_run_that_failed_the_shape_is_set_anew(calls):
    """The context has the shape of the batch that failed; 5 images run as 3 would leave two rows of an older batch."""
    lane, context_runs = lane_of(calls, graphs=False), [True, False, True]
    lane._context.execute_async_v3 = lambda handle: context_runs.pop(0)
    lane.enqueue(5)
    with pytest.raises(ModelError):
        lane.enqueue(3)
    calls.clear()
    lane.enqueue(5)
    assert calls == [("shape", "images", (5, 3, 64, 64))]


def test_a_run_that_fails_says_what_tensorrt_said(calls):
    log = MessageLog()
    log.take(True, "Error Code 1:\nCuda Runtime (an illegal memory access was encountered)")
    with pytest.raises(ModelError, match="TensorRT failed while running: Error Code 1: Cuda Runtime"):
        lane_of(calls, graphs=False, log=log, runs=False).enqueue(1)


def test_a_run_without_memory_says_what_to_do(calls):
    log = MessageLog()
    log.take(True, "Cuda failure: out of memory")
    with pytest.raises(ModelError, match=r"out of GPU memory while running: .*mift export tensorrt --batch"):
        lane_of(calls, graphs=False, log=log, runs=False).enqueue(1)


def test_warnings_are_no_errors():
    log = MessageLog()
    log.take(False, "the timing cache is cold")
    assert (log.errors, log.last) == ([], "it does not say why")
