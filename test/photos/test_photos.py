"""Geotagged photos to a bag: EXIF written by hand, DJI's XMP, CSV, and the photos kept beside the checkout."""

import math

import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base
from PIL.TiffImagePlugin import IFDRational

from mift_ros.errors import BagError
from mift_ros.evaluation.flight import read_flight
from mift_ros.geometry.frames import wrap_deg
from mift_ros.photos.exif import image_size, read_photo
from mift_ros.photos.flight import Attitude, PhotoPlan, angles, camera_of, find_photos, write_photos

XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description drone-dji:RelativeAltitude="+122.50" '
    'drone-dji:GimbalYawDegree="-35.5" drone-dji:GimbalPitchDegree="-80.00" drone-dji:FlightYawDegree="-40.1">'
    "<drone-dji:FlightRollDegree>+4.30</drone-dji:FlightRollDegree>"
    "<drone-dji:FlightPitchDegree>-4.00</drone-dji:FlightPitchDegree></rdf:Description></x:xmpmeta>"
)


def write_photo(path, *, position=True, time="2024:10:30 10:33:27", focal=24, xmp="", south=False):
    """A grey JPEG of 160 x 90 pixels, taken at 24 deg 15 min 31.5 s, 120 deg 43 min 12 s west."""
    exif = Image.Exif()
    if time:
        exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = time
    if focal:
        exif.get_ifd(IFD.Exif)[Base.FocalLengthIn35mmFilm] = focal
    if position:
        gps = exif.get_ifd(IFD.GPSInfo)
        gps[GPS.GPSLatitude] = (IFDRational(24), IFDRational(15), IFDRational(315, 10))
        gps[GPS.GPSLongitude] = (IFDRational(120), IFDRational(43), IFDRational(12))
        gps[GPS.GPSLatitudeRef], gps[GPS.GPSLongitudeRef] = "S" if south else "N", "W"
    extra = {"xmp": xmp.encode()} if xmp else {}
    Image.new("RGB", (160, 90), (90, 100, 110)).save(path, exif=exif, **extra)
    return path


def test_exif_position_time_and_focal_length(tmp_path):
    photo = read_photo(write_photo(tmp_path / "a.jpg"))
    assert photo.lat_deg == pytest.approx(24 + 15 / 60 + 31.5 / 3600)
    assert photo.lon_deg == pytest.approx(-(120 + 43 / 60 + 12 / 3600))
    assert photo.stamp_ns == 1730284407 * 10**9  # 2024-10-30 10:33:27 UTC
    assert (photo.width, photo.height) == (160, 90)
    assert math.isnan(photo.height_m) and math.isnan(photo.flight_yaw_deg)
    assert read_photo(write_photo(tmp_path / "b.jpg", south=True)).lat_deg < 0


def test_dji_xmp_as_attributes_and_as_elements(tmp_path):
    photo = read_photo(write_photo(tmp_path / "a.jpg", xmp=XMP))
    assert (photo.height_m, photo.flight_yaw_deg, photo.gimbal_yaw_deg, photo.gimbal_pitch_deg) == (
        122.5,
        -40.1,
        -35.5,
        -80.0,
    )
    assert (photo.flight_roll_deg, photo.flight_pitch_deg) == (4.3, -4.0)


def test_attitudes(tmp_path):
    photo = read_photo(write_photo(tmp_path / "a.jpg", xmp=XMP))
    ten, four = math.radians(10.0), math.radians(4.0)
    assert angles(photo, Attitude.GIMBAL) == pytest.approx((0.0, -ten, -35.5))  # looks 10 deg ahead: nose up
    assert angles(photo, Attitude.LEVEL) == pytest.approx((0.0, 0.0, -40.1))
    assert angles(photo, Attitude.FLIGHT) == pytest.approx((math.radians(4.3), four, -40.1))  # DJI -4: nose down


def test_flight_attitude_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(BagError, match=r"a.jpg: no flight roll and pitch; use --attitude level"):
        angles(read_photo(write_photo(tmp_path / "a.jpg")), Attitude.FLIGHT)


def test_focal_length_from_35_mm_by_hand_and_overridden(tmp_path):
    photo = read_photo(write_photo(tmp_path / "a.jpg"))
    assert camera_of(photo, PhotoPlan()).fx == pytest.approx(24 / 43.2666 * math.hypot(160, 90), rel=1e-4)
    assert camera_of(photo, PhotoPlan(focal_px=118.0)).fx == 118.0
    assert camera_of(photo, PhotoPlan(hfov_deg=90.0)).fx == pytest.approx(80.0)
    with pytest.raises(BagError, match="give --focal-px or --hfov-deg"):
        camera_of(read_photo(write_photo(tmp_path / "b.jpg", focal=0)), PhotoPlan())


@pytest.mark.parametrize("focal", [(24, 26), "long", b"\x00", -3, IFDRational(0, 0)])
def test_a_focal_length_that_is_none_is_unknown(tmp_path, focal):
    """Written as a rational, a text or what else a camera puts there."""
    photo = read_photo(write_photo(tmp_path / "a.jpg", focal=focal))
    assert math.isnan(photo.focal_35mm)
    with pytest.raises(BagError, match="give --focal-px or --hfov-deg"):
        camera_of(photo, PhotoPlan())


def test_photos_of_200_million_pixels(tmp_path):
    """As some phones take them; only the head is needed, so only that of a larger one is written here."""
    data = bytearray(write_photo(tmp_path / "a.jpg").read_bytes())
    at = data.index(b"\xff\xc0\x00\x11\x08") + 5
    data[at : at + 4] = (12240).to_bytes(2, "big") + (16320).to_bytes(2, "big")
    (tmp_path / "a.jpg").write_bytes(data)
    photo = read_photo(tmp_path / "a.jpg")
    assert (photo.width, photo.height) == image_size(tmp_path / "a.jpg") == (16320, 12240)


def test_bag_in_the_order_of_time_even_within_a_second(tmp_path):
    write_photo(tmp_path / "b.jpg", xmp=XMP)
    write_photo(tmp_path / "a.JPG", xmp=XMP)
    write_photo(tmp_path / "c.jpg", time="2024:10:30 10:33:20", xmp=XMP)
    write_photos(find_photos(tmp_path, None), tmp_path / "bag", PhotoPlan())
    samples = list(read_flight(tmp_path / "bag"))
    assert [(s.stamp_ns - samples[0].stamp_ns) // 10**6 for s in samples] == [0, 7000, 7001]
    for s in samples:
        assert s.frame.image.shape == (90, 160, 3)
        assert s.telemetry.height_agl_m == pytest.approx(122.5)
        assert wrap_deg(s.telemetry.heading_deg - (-35.5)) == pytest.approx(0.0, abs=1e-6)
        assert s.truth.lat_deg == pytest.approx(24.2587500)
        assert math.isnan(s.truth.altitude_ellipsoid_m)


def test_heading_left_out_of_the_telemetry_stays_in_the_truth(tmp_path):
    write_photo(tmp_path / "a.jpg", xmp=XMP)
    plan = PhotoPlan(heading_known=False, height_agl_m=80.0)
    write_photos(find_photos(tmp_path, None), tmp_path / "bag", plan)
    (sample,) = read_flight(tmp_path / "bag")
    assert math.isnan(sample.telemetry.heading_deg) and sample.telemetry.roll_rad == 0.0
    assert sample.telemetry.height_agl_m == pytest.approx(80.0)
    assert sample.truth.heading_deg == pytest.approx(324.5)


@pytest.mark.parametrize(
    ("changes", "line"), [({"position": False}, "no GPS position"), ({"time": ""}, "no DateTimeOriginal")]
)
def test_what_exif_lacks_names_the_photo(tmp_path, changes, line):
    write_photo(tmp_path / "ok.jpg")
    write_photo(tmp_path / "poor.jpg", **changes)
    with pytest.raises(BagError, match=rf"poor.jpg: {line} in its EXIF; .*--truth-csv"):
        find_photos(tmp_path, None)


def test_a_file_that_is_no_photo(tmp_path):
    (tmp_path / "text.jpg").write_text("not a photo")
    with pytest.raises(BagError, match=r"text.jpg: cannot be read as a photo"):
        find_photos(tmp_path, None)


def test_an_empty_or_absent_folder(tmp_path):
    with pytest.raises(BagError, match=r"no photos \(.jpg, .jpeg, .png\) in it"):
        find_photos(tmp_path, None)
    with pytest.raises(BagError, match="no such folder of photos"):
        find_photos(tmp_path / "absent", None)


CSV = "file,datetime,lat,lon,rel_alt_m,flight_yaw\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (CSV + "gone.jpg,2024:10:30 10:33:27,1,2,3,4\n", r"t.csv line 2: names gone.jpg, which is not in"),
        (CSV + "a.jpg,2024:10:30 10:33:27,one,2,3,4\n", r"t.csv line 2: lat is 'one', not a number"),
        (CSV + "a.jpg,2024:10:30 10:33:27,91,2,3,4\n", r"latitude 91.0, longitude 2.0 is not a place"),
        (CSV + "a.jpg,2024:10:30 10:33:27,,2,3,4\n", r"latitude nan"),
        (CSV + f"{'a' * 300}.jpg,2024:10:30 10:33:27,1,2,3,4\n", r"t.csv line 2: names aaa"),
        (CSV + "a.tif,2024:10:30 10:33:27,1,2,3,4\n", r"a.tif: not one of .jpg, .jpeg, .png"),
        (CSV + "a.jpg,2039:01:01 00:00:00,1,2,3,4\n", r"t.csv line 2: time '2039.*' is outside 1970 to 2038"),
        (CSV + "a.jpg,1902:01:01 00:00:00,1,2,3,4\n", r"t.csv line 2: time '1902.*' is outside 1970 to 2038"),
        (CSV + "a.jpg,yesterday,1,2,3,4\n", r"time 'yesterday' is not YYYY:MM:DD HH:MM:SS"),
        ("file,lat,lon\na.jpg,1,2\n", r"t.csv: no column datetime; it has file, lat, lon"),
        ("", r"t.csv: lists no photos"),
    ],
)
def test_a_csv_that_cannot_be_used_is_one_line(tmp_path, text, line):
    write_photo(tmp_path / "a.jpg", position=False)
    Image.new("RGB", (16, 9)).save(tmp_path / "a.tif")
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(BagError, match=line) as caught:
        find_photos(tmp_path, tmp_path / "t.csv")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("folder", "table", "count", "height_known", "heading_known"),
    [
        ("fengyuan/photos", "fengyuan/truth.csv", 11, True, True),
        ("odm_brighton_beach/drone", "odm_brighton_beach/drone_truth.csv", 18, False, True),
        ("odm_seneca_nir/drone", "odm_seneca_nir/drone_truth.csv", 167, False, False),
    ],
)
def test_real_photos(shared_data, tmp_path, folder, table, count, height_known, heading_known):
    photos = find_photos(shared_data / folder, shared_data / table)
    write_photos(photos, tmp_path / "bag", PhotoPlan(hfov_deg=68.0))
    samples = list(read_flight(tmp_path / "bag"))
    assert len(samples) == count and all(s.frame is not None for s in samples)
    assert all(math.isfinite(s.telemetry.height_agl_m) == height_known for s in samples)
    assert all(math.isfinite(s.telemetry.heading_deg) == heading_known for s in samples)
    assert [s.truth.lat_deg for s in samples] == pytest.approx([p.lat_deg for p in photos])
