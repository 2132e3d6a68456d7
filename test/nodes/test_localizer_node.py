"""The node as a vehicle meets it: in its own process, over DDS, through its topics, services and parameters only."""

from __future__ import annotations

import math

import numpy as np
import pytest
from node_scene import HEIGHT_AGL_M, look_down

from mift_ros.evaluation.metrics import WGS84

CONFIGURE, CLEANUP, ACTIVATE, DEACTIVATE, NO_SUCH_TRANSITION = 1, 2, 3, 4, 99
PLACE = (40.0, -30.0, 60.0)
"""East, north in metres, heading in degrees."""
WARN, ERROR = b"\x01", b"\x02"
"""diagnostic_msgs/DiagnosticStatus levels."""


@pytest.fixture
def flying(launch, bench, town):
    """An active node."""
    node = launch()
    bench.bring_up()
    return node


@pytest.fixture(scope="module")
def view(town):
    """What the camera sees at PLACE."""
    return look_down(town.scene, *PLACE)


@pytest.fixture
def expose(bench, view):
    """Send an image with the telemetry of PLACE until it is answered: its stamp, and the values of its ~/status."""
    return lambda image=view, **changes: bench.verdict(image, PLACE[2], HEIGHT_AGL_M, **changes)


def test_an_image_comes_back_as_a_geopose_within_metres(flying, bench, town, expose):
    stamp_ns, status = expose()
    assert status["state"] == "fix", status
    bench.spin_until(lambda: all(stamp_ns in kept for kept in bench.answers.values()), "all topics of a fix")
    geopose, fix, pose = (bench.answers[name][stamp_ns] for name in ("geopose", "fix", "pose"))

    lat, lon = town.place(*PLACE[:2])
    place = geopose.pose.pose.position
    assert WGS84.inv(lon, lat, place.longitude, place.latitude)[2] < 8.0
    assert math.isnan(place.altitude)  # no altitude was told, so none is made up
    q = geopose.pose.pose.orientation
    assert math.degrees(2 * math.atan2(q.z, q.w)) == pytest.approx(90.0 - PLACE[2], abs=5.0)

    covariance = np.array(geopose.pose.covariance).reshape(6, 6)
    assert np.isfinite(covariance).all()
    assert np.linalg.eigvalsh(covariance).min() > 0
    assert 0.5 < math.sqrt(covariance[0, 0]) < 50.0

    assert (fix.latitude, fix.longitude) == (place.latitude, place.longitude)
    assert (fix.status.status, fix.position_covariance_type) == (0, 1)
    assert (fix.header.frame_id, pose.header.frame_id) == ("base_link", "map")
    assert math.hypot(pose.pose.pose.position.x - PLACE[0], pose.pose.pose.position.y - PLACE[1]) < 8.0


@pytest.mark.parametrize(
    ("case", "reasons"),
    [
        ("black", {"textureless"}),
        ("another town", {"low-similarity", "ambiguous", "out-of-map", "inconsistent"}),
    ],
)
def test_what_cannot_be_matched_gives_a_reason_and_no_pose(flying, bench, expose, view, elsewhere, case, reasons):
    image = np.zeros_like(view) if case == "black" else look_down(elsewhere, *PLACE)
    stamp_ns, status = expose(image)
    assert status["state"] in reasons
    assert status["detail"]
    expose(image)  # whatever was sent for the first has come by now
    assert not {stamp_ns} & {*bench.answers["geopose"], *bench.answers["fix"], *bench.answers["pose"]}


def test_a_broken_image_is_refused_and_the_next_one_is_taken(flying, bench, expose):
    _, status = expose(height=4000)
    assert (status["state"], "holds" in status["detail"]) == ("bad-image", True)
    _, status = expose(encoding="purple8")
    assert (status["state"], "purple8" in status["detail"]) == ("bad-image", True)
    assert expose()[1]["state"] == "fix"


def test_diagnostics_tell_identity_and_rates(flying, bench, expose):
    expose()
    bench.diagnostics.clear()
    bench.spin_until(lambda: bench.diagnostics, "diagnostics")
    values = {entry.key: entry.value for entry in bench.diagnostics[0].status[0].values}
    assert values["model"].startswith("tiny ")
    assert values["backend"].startswith("CPUExecutionProvider")
    assert values["map"] == "map.tif"
    assert {"image rate_hz", "imu age_s", "fixes rate_hz", "dropped rate_hz", "image publishers"} <= set(values)


def test_the_match_is_drawn_when_somebody_looks(flying, bench, expose):
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image

    pictures = []
    bench.node.create_subscription(Image, f"/{bench.name}/match", pictures.append, qos_profile_sensor_data)
    bench.spin_until(lambda: bench.node.count_publishers(f"/{bench.name}/match"), "the match topic")
    while not pictures:
        expose()
    picture = pictures[0]
    assert (picture.encoding, picture.step, len(picture.data)) == (
        "rgb8",
        3 * picture.width,
        3 * picture.width * picture.height,
    )


def test_services_stop_and_restart_the_search(flying, bench, expose):
    from std_srvs.srv import SetBool, Trigger

    assert bench.call(SetBool, "enable", SetBool.Request(data=False)).success
    before = set(bench.answers["status"])
    assert bench.call(SetBool, "enable", SetBool.Request(data=True)).success
    assert bench.call(Trigger, "relocalize", Trigger.Request()).success
    assert expose()[0] not in before


def test_invalid_transitions_are_refused_and_survived(launch, bench):
    launch()
    assert not bench.change(ACTIVATE)
    assert not bench.change(NO_SUCH_TRANSITION)
    assert bench.state() == "unconfigured"
    assert bench.change(CONFIGURE)
    assert not bench.change(CONFIGURE)
    assert bench.state() == "inactive"


def test_it_can_be_taken_down_and_brought_up_again(flying, bench, expose):
    assert expose()[1]["state"] == "fix"
    assert bench.change(DEACTIVATE)
    assert bench.change(CLEANUP)
    bench.spin_until(lambda: not bench.inputs["image"].get_subscription_count(), "the subscription to go")
    bench.bring_up()
    assert expose()[1]["state"] == "fix"


def test_autostart_needs_no_manager(launch, bench):
    launch(autostart=True)
    bench.spin_until(lambda: bench.state() == "active", "the active state")


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"yaw_bin": 12}, "unknown parameter 'yaw_bin'; did you mean 'yaw_bins'?"),
        ({"max_tilt_deg": 120.0}, "max_tilt_deg = 120.0 is outside 0 to 70 deg"),
        ({"candidates": "many"}, "candidates must be int, not 'many'"),
        ({"image_transport": "theora"}, "image_transport = 'theora' is not one of raw, compressed"),
        ({"height_agl_min_m": 200.0, "height_agl_max_m": 100.0}, "height_agl_min_m 200 is above height_agl_max_m 100"),
        ({"cache_path": ""}, "cache_path is empty"),
        ({"cache_path": "no.cache"}, "no.cache: no such map cache"),
        ({"model": "no.onnx"}, "no.onnx: no such model file"),
    ],
)
def test_bad_settings_fail_the_configuration_with_one_line(launch, bench, parameters, says):
    node = launch(**parameters)
    assert not bench.change(CONFIGURE)
    assert bench.state() == "unconfigured"
    (line,) = [line for line in node.log.read_text().splitlines() if "[ERROR]" in line]
    assert says in line


def told(bench, message):
    """Wait for diagnostics of that message; their level."""

    def found():
        return [array.status[0] for array in bench.diagnostics if array.status[0].message == message]

    bench.spin_until(found, f"diagnostics: {message}")
    return found()[-1].level


def test_diagnostics_say_in_every_state_why_there_are_no_fixes(launch, bench):
    launch()
    assert told(bench, "not configured") == WARN
    assert bench.change(CONFIGURE)
    assert told(bench, "not active") == WARN


def test_diagnostics_keep_saying_why_the_configuration_failed(launch, bench):
    launch(cache_path="no.cache")
    assert not bench.change(CONFIGURE)
    assert told(bench, "not configured: no.cache: no such map cache; build one with 'mift map build'") == ERROR


@pytest.mark.parametrize(
    ("override", "value", "says"),
    [
        ("/prior.subscription.reliability", "besteffort", "Unexpected QoS override for policy `reliability`"),
        ("/imu.subscription.depth", -1, "qos_overrides./imu: "),
        ("/imu.subscription.depth", "deep", "qos_overrides./imu: "),
    ],
)
def test_a_bad_qos_override_is_one_line_and_nothing_listens(launch, bench, override, value, says):
    node = launch(**{f"qos_overrides.{override}": value})
    assert bench.change(CONFIGURE)
    assert not bench.change(ACTIVATE)
    assert bench.state() == "inactive"
    (line,) = [line for line in node.log.read_text().splitlines() if "[ERROR]" in line]
    assert says in line
    assert "Traceback" not in node.log.read_text()
    assert told(bench, f"not active: {line.partition('on_activate failed: ')[2]}") == ERROR
    bench.spin_until(lambda: not bench.inputs["image"].get_subscription_count(), "the subscriptions to go")


def test_a_bad_qos_override_of_an_output_fails_the_configuration(launch, bench):
    node = launch(**{f"qos_overrides./{bench.name}/match.publisher.history": "everything"})
    assert not bench.change(CONFIGURE)
    (line,) = [line for line in node.log.read_text().splitlines() if "[ERROR]" in line]
    assert f"qos_overrides./{bench.name}/match: Unexpected QoS override" in line
    assert told(bench, f"not configured: {line.partition('on_configure failed: ')[2]}") == ERROR
    assert not bench.node.count_publishers(f"/{bench.name}/geopose")


def test_the_cache_of_another_model_is_refused(launch, bench, tiny, tmp_path):
    other = tiny.write(tmp_path / "other.onnx", tiny.identity(name="other", weights_sha256="0" * 64))
    node = launch(model=str(other))
    assert not bench.change(CONFIGURE)
    assert "the loaded model is other test (000000000000)" in node.log.read_text()
    assert "Traceback" not in node.log.read_text()


def test_an_int_will_do_for_a_float(launch, bench):
    launch(max_tilt_deg=20)
    assert bench.change(CONFIGURE)


def test_parameters_show_their_range_and_are_locked_while_configured(launch, bench):
    from rcl_interfaces.msg import Parameter, ParameterValue
    from rcl_interfaces.srv import DescribeParameters, SetParameters

    launch()
    described = bench.call(
        DescribeParameters, "describe_parameters", DescribeParameters.Request(names=["max_tilt_deg"])
    )
    (descriptor,) = described.descriptors
    assert "[deg]" in descriptor.description
    assert descriptor.floating_point_range[0].to_value == 70.0

    def set_tilt(degrees):
        value = ParameterValue(type=3, double_value=degrees)
        request = SetParameters.Request(parameters=[Parameter(name="max_tilt_deg", value=value)])
        return bench.call(SetParameters, "set_parameters", request).results[0]

    assert not set_tilt(71.0).successful
    assert set_tilt(10.0).successful
    assert bench.change(CONFIGURE)
    refused = set_tilt(20.0)
    assert (refused.successful, "clean up" in refused.reason) == (False, True)


def test_a_value_that_was_wrong_at_the_start_can_be_put_right(launch, bench):
    from rcl_interfaces.msg import Parameter, ParameterValue
    from rcl_interfaces.srv import SetParameters

    launch(looks=9)
    assert not bench.change(CONFIGURE)
    right = Parameter(name="looks", value=ParameterValue(type=2, integer_value=3))
    request = SetParameters.Request(parameters=[right])
    assert bench.call(SetParameters, "set_parameters", request).results[0].successful
    assert bench.change(CONFIGURE)


@pytest.mark.parametrize("active", [False, True])
def test_ctrl_c_twice_ends_it_in_order(launch, bench, active):
    node = launch()
    if active:
        bench.bring_up()
    else:
        assert bench.state() == "unconfigured"
    node.interrupt()
    node.interrupt()
    assert node.wait() == 0
    assert "Traceback" not in node.log.read_text()
