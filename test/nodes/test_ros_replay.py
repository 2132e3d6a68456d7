"""A bag through the running node: what comes back over DDS is what the library finds."""

import pytest

from mift_ros.cache.reader import MapCache
from mift_ros.errors import ConfigError
from mift_ros.evaluation.bag import Bag
from mift_ros.evaluation.flight import Flight
from mift_ros.evaluation.metrics import summarise
from mift_ros.evaluation.replay import replay, with_truth
from mift_ros.inference.load import load_embedder
from mift_ros.localization.localizer import Localizer
from mift_ros.nodes.ros_replay import RosReplay, bag_inputs, record_of_line, replay_over_ros
from mift_ros.simulation.flight import FlightPlan, simulate


@pytest.fixture(scope="module", params=[False, True], ids=["raw", "compressed"])
def bag(request, town, tmp_path_factory):
    path = tmp_path_factory.mktemp("flight") / "bag"
    plan = FlightPlan(minutes=0.05, rate_hz=1.0, height_agl_m=80.0, width=320, height=240, compressed=request.param)
    simulate(town.map_path, path, plan, town.map_path)
    return Bag(path)


def test_every_topic_but_the_truth_feeds_an_input(bag):
    inputs = bag_inputs(bag)
    assert sorted(set(inputs.values()) - {"image", "image/compressed"}) == [
        "camera_info",
        "height_agl",
        "imu",
        "odometry",
    ]
    assert inputs[bag.topic("image")] == ("image/compressed" if "compressed" in bag.topic("image") else "image")
    assert bag.topic("truth") not in inputs


def test_the_node_finds_what_the_library_finds(bag, town, ros):
    answers = replay_over_ros(RosReplay(bag, town.cache, str(town.model), {"threads": 1}, rate=0.2))
    over_dds = {record.stamp_ns: record for record in with_truth(answers, Flight(bag)) if record.fix}
    embedder = load_embedder(str(town.model), 1)
    in_library = list(replay(Flight(bag), Localizer(MapCache.open(town.cache), embedder)))
    assert summarise(list(over_dds.values())).median_m < 8.0
    for record in in_library:
        if record.fix and record.stamp_ns in over_dds:
            assert over_dds[record.stamp_ns].fix.lat_deg == pytest.approx(record.fix.lat_deg, abs=2e-5)


def test_a_node_that_cannot_be_configured_is_told_at_once(bag, town, ros, monkeypatch):
    monkeypatch.setenv("RCUTILS_LOGGING_USE_STDOUT", "1")  # however this shell has its logs
    monkeypatch.setenv("RCUTILS_CONSOLE_OUTPUT_FORMAT", "{severity} {message}")
    with pytest.raises(ConfigError, match="unknown parameter 'yaw_bin'; did you mean 'yaw_bins'"):
        replay_over_ros(RosReplay(bag, town.cache, str(town.model), {"yaw_bin": 3}))


def test_a_rejection_keeps_its_reason():
    record = record_of_line({"stamp_ns": 5, "state": "blurred", "detail": "soft", "latency_s": "0.25"})
    assert (record.stamp_ns, record.fix, record.reason, record.detail, record.latency_s) == (
        5,
        None,
        "blurred",
        "soft",
        0.25,
    )
