"""A simulated flight, read back: what is recorded agrees with its own truth."""

import math

import numpy as np
import pytest
import yaml

from mift_ros.errors import BagError, SimulationError
from mift_ros.evaluation.bag import Bag
from mift_ros.evaluation.flight import Flight, read_flight
from mift_ros.geometry.frames import LocalFrame, wrap_deg
from mift_ros.simulation.flight import FlightPlan, simulate
from mift_ros.simulation.geotiff import write_geotiff, write_world
from mift_ros.simulation.record import Storage
from mift_ros.simulation.world import make_town

SMALL = {"minutes": 0.05, "rate_hz": 4.0, "height_agl_m": 40.0, "speed_mps": 5.0, "width": 160, "height": 120}


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    return write_world(make_town(1, 300.0, 0.5), tmp_path_factory.mktemp("town"))


@pytest.fixture(scope="module")
def bag(town, tmp_path_factory):
    path = tmp_path_factory.mktemp("flight") / "bag"
    simulate(town.map, path, FlightPlan(**SMALL), town.look, town.heights)
    return path


def test_telemetry_agrees_with_truth(bag):
    samples = list(read_flight(bag))
    assert len(samples) == int((3.0 - 0.2) * 4.0)
    frame = LocalFrame(45.5, -5.0)
    start = frame.to_local(samples[0].truth.lat_deg, samples[0].truth.lon_deg)
    for s in samples:
        assert s.frame.image.shape == (120, 160, 3)
        assert s.telemetry.height_agl_m == pytest.approx(40.0, abs=6.0)
        assert abs(wrap_deg(s.telemetry.heading_deg - s.truth.heading_deg)) < 8.0
        assert abs(s.telemetry.roll_rad) < 0.3
        moved = frame.to_local(s.truth.lat_deg, s.truth.lon_deg) - start
        reckoned = np.subtract(s.telemetry.odometry_enu_m, samples[0].telemetry.odometry_enu_m)
        assert reckoned == pytest.approx(moved, abs=1.0 + 0.1 * np.hypot(*moved))


def test_truth_is_interpolated_to_the_exposure(bag):
    truths = [truth for _, truth in Flight(Bag(bag)).truths()]
    points = LocalFrame(45.5, -5.0).to_local([t.lat_deg for t in truths], [t.lon_deg for t in truths])
    assert np.linalg.norm(np.diff(points, axis=0), axis=1) == pytest.approx(5.0 / 4.0, rel=0.02)


def test_same_seed_same_images_in_either_storage(town, bag, tmp_path):
    simulate(town.map, tmp_path / "again", FlightPlan(**SMALL, storage=Storage.SQLITE3), town.look, town.heights)
    for first, second in zip(read_flight(bag), read_flight(tmp_path / "again"), strict=True):
        assert np.array_equal(first.frame.image, second.frame.image)
        assert first.telemetry == second.telemetry


@pytest.mark.parametrize("storage", Storage)
def test_the_metadata_is_as_humble_reads_it(town, tmp_path, storage):
    """Humble's rosbag2 takes the QoS profiles of a topic as one text; a list is an error to it."""
    path = tmp_path / "bag"
    simulate(town.map, path, FlightPlan(**SMALL, storage=storage), town.look, town.heights)
    about = yaml.safe_load((path / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    topics = [topic["topic_metadata"] for topic in about["topics_with_message_count"]]
    assert (about["version"], len(topics)) == (8, 6)
    assert all(isinstance(topic["offered_qos_profiles"], str) for topic in topics)
    assert len(list(read_flight(path))) == 11


def test_any_map_alone_with_heading_unknown_and_jpeg(town, tmp_path):
    plan = FlightPlan(**SMALL, heading_known=False, compressed=True)
    simulate(town.map, tmp_path / "bag", plan)
    samples = list(read_flight(tmp_path / "bag"))
    assert all(math.isnan(s.telemetry.heading_deg) and not math.isnan(s.truth.heading_deg) for s in samples)
    assert all(s.truth.altitude_ellipsoid_m == pytest.approx(s.telemetry.height_agl_m, abs=3.0) for s in samples)
    assert Bag(tmp_path / "bag").topic("image") == "/camera/image/compressed"


def test_progress_counts_to_the_end(town, tmp_path):
    seen = []
    simulate(town.map, tmp_path / "bag", FlightPlan(**SMALL), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(k, 11) for k in range(1, 12)]


def test_an_existing_bag_is_not_overwritten(town, bag):
    with pytest.raises(BagError, match="exists already"):
        simulate(town.map, bag, FlightPlan(**SMALL))


def test_an_interrupted_flight_leaves_nothing(town, tmp_path):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(town.map, tmp_path / "bag", FlightPlan(**SMALL), progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_heights_that_do_not_cover_the_map_are_refused(town, tmp_path):
    write_geotiff(np.ones((20, 20, 1), np.float32), tmp_path / "dsm.tif", 45.5, -5.0, 1.0)
    with pytest.raises(SimulationError, match=r"dsm.tif: the heights do not cover all of the map"):
        simulate(town.map, tmp_path / "bag", FlightPlan(**SMALL), heights_path=tmp_path / "dsm.tif")


@pytest.mark.parametrize(
    ("name", "value"), [("minutes", 0.0), ("height_agl_m", -5.0), ("hfov_deg", 150.0), ("rate_hz", math.nan)]
)
def test_plans_out_of_range_are_refused(name, value):
    with pytest.raises(SimulationError, match=f"{name} = .* is outside"):
        FlightPlan(**{name: value})
