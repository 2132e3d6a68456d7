"""Every kind of bad bag ends in one line that names the bag, the topic and what to do; good ones open in every form."""

import shutil

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from mift_ros.errors import BagError
from mift_ros.evaluation.bag import Bag
from mift_ros.evaluation.flight import read_flight
from mift_ros.evaluation.topics import Topics
from mift_ros.geometry.camera import CameraModel
from mift_ros.simulation.messages import Messages, flight_types
from mift_ros.simulation.record import Storage


def write_messages(path, *messages):
    """A bag of (topic, message), a millisecond apart."""
    types = flight_types()
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        topics = {}
        for k, (topic, message) in enumerate(messages):
            kind = message.__msgtype__
            if topic not in topics:
                topics[topic] = writer.add_connection(topic, kind, typestore=types)
            writer.write(topics[topic], 10**9 + k * 10**6, types.serialize_cdr(message, kind))
    return path


@pytest.fixture
def make():
    return Messages(flight_types())


@pytest.mark.parametrize("storage", list(Storage))
def test_folder_and_file_read_the_same(write_flight, tmp_path, storage):
    folder = write_flight(tmp_path / "flight", storage)
    file = next(file for file in folder.iterdir() if file.suffix in (".mcap", ".db3"))
    stamps = [[s.stamp_ns for s in read_flight(path)] for path in (folder, file)]
    assert stamps[0] == stamps[1] and len(stamps[0]) == 3


def test_metadata_with_another_qos_does_not_hide_the_messages(flight_path):
    metadata = flight_path / "metadata.yaml"
    metadata.write_text(metadata.read_text().replace("offered_qos_profiles: []", "offered_qos_profiles:\n- depth: 5"))
    assert len(list(read_flight(flight_path))) == 3


def test_split_bags_are_read_in_order(write_flight, flight_path, tmp_path):
    joined = tmp_path / "joined"
    joined.mkdir()
    for index, name in ((0, "x_2.mcap"), (1, "x_10.mcap")):
        part = write_flight(tmp_path / f"part{index}")
        shutil.copy(next(part.glob("*.mcap")), joined / name)
    assert Bag(joined).frames == 6


def test_no_such_bag(tmp_path):
    with pytest.raises(BagError, match="nothing: no such bag"):
        Bag(tmp_path / "nothing")


def test_a_folder_without_storage(tmp_path):
    with pytest.raises(BagError, match="is it a bag"):
        Bag(tmp_path)


def test_another_file(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(BagError, match=r"notes.txt: not a bag folder, .mcap or .db3"):
        Bag(tmp_path / "notes.txt")


@pytest.mark.parametrize("name", ["broken.mcap", "broken.db3"])
@pytest.mark.parametrize("content", [b"", b"not a bag at all" * 100])
def test_damaged_storage(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BagError, match=f"{name}: "):
        Bag(tmp_path / name)


@pytest.mark.parametrize("storage", list(Storage))
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_storage(write_flight, tmp_path, storage, share):
    folder = write_flight(tmp_path / "flight", storage, images=20)
    file = next(file for file in folder.iterdir() if file.suffix in (".mcap", ".db3"))
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BagError, match="flight: "):
        list(read_flight(folder))


def test_a_bag_without_images_lists_what_it_has(tmp_path, make):
    path = write_messages(tmp_path / "bag", ("/gps", make.height(0, 5.0)))
    with pytest.raises(BagError, match=r"no image topic \(Image or CompressedImage\); its topics are /gps \(Range\)"):
        Bag(path)


def test_an_empty_bag(tmp_path):
    with pytest.raises(BagError, match="no image topic"):
        Bag(write_messages(tmp_path / "bag"))


def test_a_bag_without_camera_info(write_flight, tmp_path):
    with pytest.raises(BagError, match=r"no camera_info topic .* /camera/image \(Image\)"):
        Bag(write_flight(tmp_path / "bag", info=False))


def test_a_topic_that_is_declared_but_empty(tmp_path, make):
    types = flight_types()
    with Writer(tmp_path / "bag", version=9) as writer:
        writer.add_connection("/cam", "sensor_msgs/msg/Image", typestore=types)
        writer.add_connection("/info", "sensor_msgs/msg/CameraInfo", typestore=types)
    with pytest.raises(BagError, match="topic /cam has no messages"):
        Bag(tmp_path / "bag")


def write_altered(path, make, old, new):
    """A bag of an image, its camera_info and a height; its definitions of them have `new` in place of `old`."""
    standard, altered, types = flight_types(), {}, get_typestore(Stores.EMPTY)
    for name in ("Image", "CameraInfo", "Range"):
        text, _ = standard.generate_msgdef(f"sensor_msgs/msg/{name}", ros_version=2)
        altered |= get_types_from_msg(text.replace(old, new), f"sensor_msgs/msg/{name}")
    types.register(altered)
    camera = CameraModel.from_fov(4, 4, 60.0)
    messages = (make.image(0, np.zeros((4, 4, 3), np.uint8)), make.camera_info(0, camera), make.height(0, 5.0))
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for topic, message in zip(("/image", "/info", "/height"), messages):
            connection = writer.add_connection(topic, message.__msgtype__, typestore=types)
            writer.write(connection, 10**9, standard.serialize_cdr(message, message.__msgtype__))
    return path


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("string encoding", "string coding", "topic /image: sensor_msgs/msg/Image.encoding is missing from"),
        ("uint32 step", "string step", "topic /image: sensor_msgs/msg/Image.step is missing from the bag's .* another"),
        ("builtin_interfaces/Time stamp", "float64 stamp", "topic /image: std_msgs/msg/Header.stamp is missing from"),
        ("float32 range\n", "float64 range\n", "topic /height: sensor_msgs/msg/Range.range is missing from"),
    ],
)
def test_other_definitions_of_the_messages_are_one_line(tmp_path, make, old, new, line):
    with pytest.raises(BagError, match=f"bag: {line}"):
        Bag(write_altered(tmp_path / "bag", make, old, new))


def test_a_definition_that_is_none_is_one_line(flight_path):
    (file,) = flight_path.glob("*.mcap")
    file.write_bytes(file.read_bytes().replace(b"uint32 step", b"uint32\n\nste"))
    with pytest.raises(BagError, match="flight: the bag cannot be read") as caught:
        Bag(flight_path)
    assert "\n" not in str(caught.value)


def test_a_range_of_humble_has_no_variance(tmp_path, make):
    assert Bag(write_altered(tmp_path / "bag", make, "float32 variance", "")).topic("height_agl") == "/height"


def test_two_cameras_must_be_told_apart(tmp_path, make):
    pixels = np.zeros((4, 4, 3), np.uint8)
    messages = [(f"/{side}/image", make.image(0, pixels)) for side in ("left", "right")]
    path = write_messages(tmp_path / "bag", *messages, ("/info", make.camera_info(0, CameraModel.from_fov(4, 4, 60.0))))
    with pytest.raises(BagError, match=r"several topics could be the image: /left/image, /right/image"):
        Bag(path)
    assert Bag(path, Topics(image="/left/image")).frames == 1
