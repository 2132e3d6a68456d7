"""What the vehicle knew when an image arrived, and what is done with messages that say nothing."""

import math
from dataclasses import replace

import numpy as np
import pytest
from rosbags.rosbag2 import Writer

from mift_ros.errors import ImageError
from mift_ros.evaluation.bag import Bag
from mift_ros.evaluation.flight import Flight, read_flight
from mift_ros.evaluation.topics import Topics
from mift_ros.geometry.camera import CameraModel
from mift_ros.geometry.frames import quaternion_from_rpy
from mift_ros.localization.config import LocalizerConfig
from mift_ros.simulation.messages import Messages, flight_types

MS = 1_000_000
START_NS = 10**18
CAMERA = CameraModel.from_fov(8, 6, 60.0)
PIXELS = np.arange(8 * 6 * 3, dtype=np.uint8).reshape(6, 8, 3)


class HandWritten:
    """Writes messages at given times of arrival."""

    def __init__(self, path):
        self.path, self.types = path, flight_types()
        self.make = Messages(self.types)
        self.connections = {}

    def write(self, *arrivals):
        """(ms of arrival, topic, message) in any order."""
        with Writer(self.path, version=9) as writer:
            for at_ms, topic, message in arrivals:
                kind = message.__msgtype__
                if topic not in self.connections:
                    self.connections[topic] = writer.add_connection(topic, kind, typestore=self.types)
                data = self.types.serialize_cdr(message, kind)
                writer.write(self.connections[topic], START_NS + at_ms * MS, data)
        return self.path

    def at(self, ms):
        return START_NS + ms * MS


@pytest.fixture
def bag(tmp_path):
    return HandWritten(tmp_path / "bag")


def test_pixels_come_back(bag):
    info, image = bag.make.camera_info(bag.at(0), CAMERA), bag.make.image(bag.at(0), PIXELS)
    (sample,) = read_flight(bag.write((0, "/i", image), (1, "/c", info)))
    assert np.array_equal(sample.frame.image, PIXELS)
    assert sample.frame.camera == replace(CAMERA, distortion=(0.0,) * 5)
    assert sample.stamp_ns == bag.at(0)
    assert sample.truth is None and math.isnan(sample.telemetry.height_agl_m)


def test_a_rectified_recording_is_looked_at_with_p(bag):
    info, image = bag.make.camera_info(bag.at(0), CAMERA), bag.make.image(bag.at(0), PIXELS)
    info.d[0], info.p[0] = -0.3, 5.0
    flight = Flight(Bag(bag.write((0, "/i", image), (1, "/c", info))), image_is_rectified=True)
    (sample,) = flight.samples()
    assert sample.frame.camera == replace(CAMERA, fx=5.0)


def test_telemetry_is_what_had_arrived_before_the_image(bag):
    height = [(ms, "/h", bag.make.height(bag.at(ms), 10.0 + ms)) for ms in (0, 100, 200)]
    info = (0, "/c", bag.make.camera_info(bag.at(0), CAMERA))
    early = (50, "/i", bag.make.image(bag.at(50), PIXELS))
    late = (150, "/i", bag.make.image(bag.at(75), PIXELS))
    samples = list(read_flight(bag.write(*height, info, early, late)))
    assert [s.telemetry.height_agl_m for s in samples] == [10.0, 85.0]  # nearest before; interpolated once it can be


def test_truth_may_arrive_later_and_turns_the_short_way(bag):
    def truth(ms, lat, yaw):
        return (
            ms,
            "/t",
            bag.make.geopose(bag.at(ms), lat, 7.0, 300.0, (0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2))),
        )

    quarter = math.pi / 2
    near_north = [truth(0, 45.0, quarter + 0.1), truth(200, 45.2, quarter - 0.1)]  # headings 354.3 and 5.7 deg
    image = (100, "/i", bag.make.image(bag.at(100), PIXELS))
    (sample,) = read_flight(bag.write((0, "/c", bag.make.camera_info(bag.at(0), CAMERA)), image, *near_north))
    assert sample.truth.lat_deg == pytest.approx(45.1)
    assert math.cos(math.radians(sample.truth.heading_deg)) == pytest.approx(1.0)


def test_the_parameters_say_along_what_the_height_was_measured(bag):
    rolled = quaternion_from_rpy(math.radians(25.0), 0.0, 0.0)
    image, info = bag.make.image(bag.at(10), PIXELS), bag.make.camera_info(bag.at(0), CAMERA)
    imu, height = bag.make.imu(bag.at(10), rolled, True), bag.make.height(bag.at(10), 100.0)
    path = bag.write((0, "/c", info), (1, "/m", imu), (2, "/h", height), (10, "/i", image))
    for along_body, metres in ((False, 100.0), (True, 90.63)):
        (sample,) = Flight(Bag(path), LocalizerConfig(height_along_body=along_body)).samples()
        assert sample.telemetry.height_agl_m == pytest.approx(metres, abs=0.01)


SIMULATED, AHEAD = 10_000 * MS, START_NS + 18_000 * MS
"""Where the stamps start: simulated time, and GPS time without its leap seconds; the recording is in START_NS."""


@pytest.mark.parametrize("start_ns", [SIMULATED, AHEAD])
@pytest.mark.parametrize("pace", [1, 10], ids=["real time", "slow simulation"])
def test_truth_is_interpolated_by_stamps_whatever_the_clock_of_the_recording(bag, start_ns, pace):
    level = (0.0, 0.0, 0.0, 1.0)
    truths = [(ms, "/t", bag.make.geopose(start_ns + ms * MS, 45.0 + ms / 1e6, 7.0, 300.0, level)) for ms in (0, 200)]
    image = (130, "/i", bag.make.image(start_ns + 100 * MS, PIXELS))
    info = (0, "/c", bag.make.camera_info(start_ns, CAMERA))
    arrivals = sorted([info, *truths, image], key=lambda arrival: arrival[0])
    (sample,) = read_flight(bag.write(*((pace * ms, topic, message) for ms, topic, message in arrivals)))
    assert sample.truth.lat_deg == pytest.approx(45.0001, abs=1e-7)


@pytest.mark.parametrize("start_ns", [SIMULATED, START_NS, AHEAD])
@pytest.mark.parametrize("truths", [True, False])
def test_frames_do_not_pile_up(bag, start_ns, truths):
    class Counted(Bag):
        images = 0

        def messages(self, roles=()):
            for message in super().messages(roles):
                self.images += message[0] == "image"
                yield message

    arrivals = [(0, "/c", bag.make.camera_info(start_ns, CAMERA))]
    for ms in range(0, 6000, 50):
        arrivals.append((ms, "/i", bag.make.image(start_ns + ms * MS, PIXELS)))
        if ms < 500 or truths:
            arrivals.append((ms, "/t", bag.make.geopose(start_ns + ms * MS, 45.0, 7.0, 300.0, (0.0, 0.0, 0.0, 1.0))))
    flight = Flight(Counted(bag.write(*arrivals)))
    opened = flight.bag.images
    held = [flight.bag.images - opened - k for k, _ in enumerate(flight.samples(), 1)]
    assert len(held) == 120 and max(held) <= 11


@pytest.mark.parametrize(("west", "east"), [(179.999, -179.997), (-179.997, 179.999)])
def test_truth_crosses_the_antimeridian_the_short_way(bag, west, east):
    level = (0.0, 0.0, 0.0, 1.0)
    truths = [(ms, "/t", bag.make.geopose(bag.at(ms), 45.0, lon, 300.0, level)) for ms, lon in ((0, west), (400, east))]
    image = (100, "/i", bag.make.image(bag.at(100), PIXELS))
    (sample,) = read_flight(bag.write((0, "/c", bag.make.camera_info(bag.at(0), CAMERA)), truths[0], image, truths[1]))
    expected = {179.999: -180.0, -179.997: -179.998}[west]
    assert (sample.truth.lon_deg + 360.0) % 360.0 == pytest.approx(expected + 360.0)


def test_truth_half_a_second_away_is_none(bag):
    truth = (0, "/t", bag.make.geopose(bag.at(0), 45.0, 7.0, math.nan, (0.0, 0.0, 0.0, 1.0)))
    image = (600, "/i", bag.make.image(bag.at(600), PIXELS))
    (sample,) = read_flight(bag.write((0, "/c", bag.make.camera_info(bag.at(0), CAMERA)), truth, image))
    assert sample.truth is None


def test_unknown_encoding_names_the_topic(bag):
    image = bag.make.image(bag.at(0), PIXELS)
    image.encoding = "nv99"
    path = bag.write((0, "/i", image), (0, "/c", bag.make.camera_info(bag.at(0), CAMERA)))
    with pytest.raises(ImageError, match=r"bag: topic /i: .*'nv99'"):
        list(read_flight(path))


def test_one_bad_image_among_good_ones_is_told_and_the_rest_go_on(bag):
    images = [bag.make.image(bag.at(ms), PIXELS) for ms in (0, 100, 200)]
    images[1].data = images[1].data[:50]
    arrivals = [(ms, "/i", image) for ms, image in zip((0, 100, 200), images)]
    samples = list(read_flight(bag.write((0, "/c", bag.make.camera_info(bag.at(0), CAMERA)), *arrivals)))
    assert [s.frame is None for s in samples] == [False, True, False]
    assert "50 bytes" in samples[1].problem


def test_telemetry_that_says_nothing_is_noted(bag):
    nan = bag.make.imu(bag.at(0), (math.nan,) * 4, True)
    below = bag.make.height(bag.at(0), -3.0)
    image, info = bag.make.image(bag.at(10), PIXELS), bag.make.camera_info(bag.at(0), CAMERA)
    flight = Flight(
        Bag(bag.write((0, "/m", nan), (1, "/h", below), (2, "/h", below), (3, "/c", info), (10, "/i", image)))
    )
    (sample,) = flight.samples()
    assert math.isnan(sample.telemetry.roll_rad) and math.isnan(sample.telemetry.height_agl_m)
    assert flight.notes["/m"][0] == 1 and "not a rotation" in flight.notes["/m"][1]
    assert flight.notes["/h"][0] == 2


def test_a_recorded_gnss_fix_is_the_truth_but_never_a_prior_unless_named(bag):
    types = bag.types.types
    status = types["sensor_msgs/msg/NavSatStatus"](0, 1)
    header = bag.make.header(bag.at(0), "gps")
    fix = types["sensor_msgs/msg/NavSatFix"](header, status, 45.0, 7.0, 300.0, np.eye(3).ravel() * 25.0, 2)
    path = bag.write(
        (0, "/gps", fix),
        (0, "/c", bag.make.camera_info(bag.at(0), CAMERA)),
        (5, "/i", bag.make.image(bag.at(5), PIXELS)),
    )
    (sample,) = read_flight(path)
    assert (sample.truth.lat_deg, sample.truth.lon_deg) == (45.0, 7.0) and math.isnan(sample.truth.heading_deg)
    assert sample.telemetry.prior is None
    (sample,) = read_flight(path, Topics(prior="/gps"))
    assert sample.telemetry.prior.sigma_m == pytest.approx(5.0)


def test_a_plain_number_is_a_height_only_when_named(bag):
    number = bag.types.types["std_msgs/msg/Float64"](80.0)
    path = bag.write(
        (0, "/n", number),
        (0, "/c", bag.make.camera_info(bag.at(0), CAMERA)),
        (5, "/i", bag.make.image(bag.at(5), PIXELS)),
    )
    (sample,) = read_flight(path)
    assert math.isnan(sample.telemetry.height_agl_m)
    (sample,) = read_flight(path, Topics(height_agl="/n"))
    assert sample.telemetry.height_agl_m == 80.0


@pytest.mark.parametrize("start_ns", [SIMULATED, START_NS, AHEAD])
def test_a_plain_number_is_of_the_time_of_the_images(bag, start_ns):
    number = bag.types.types["std_msgs/msg/Float64"]
    images = [(ms, "/i", bag.make.image(start_ns + ms * MS, PIXELS)) for ms in (5, 1005)]
    heights = [(ms, "/n", number(80.0 + ms)) for ms in (0, 1000)]
    info = (0, "/c", bag.make.camera_info(start_ns, CAMERA))
    arrivals = sorted([info, *heights, *images], key=lambda arrival: arrival[0])
    samples = list(read_flight(bag.write(*arrivals), Topics(height_agl="/n")))
    assert [sample.telemetry.height_agl_m for sample in samples] == [80.0, 1080.0]
