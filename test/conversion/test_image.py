"""Images as cameras send them: every encoding to the same RGB pixels, and one clear line for every broken message."""

from __future__ import annotations

import zlib
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mift_ros.conversion.frame import frame_from_image
from mift_ros.conversion.image import decode_image, size_of
from mift_ros.errors import ImageError
from mift_ros.geometry.camera import CameraModel

RED_GREEN = np.array([[[200, 10, 20], [30, 180, 40]], [[50, 60, 220], [70, 80, 90]]], np.uint8)


def raw(pixels: npt.NDArray[Any], encoding: str, padding: int = 0, **changes: Any) -> SimpleNamespace:
    """An Image message of `pixels` [H, W, ...] with `padding` bytes of rubbish after each row."""
    height, width = pixels.shape[:2]
    rows = np.frombuffer(np.ascontiguousarray(pixels).tobytes(), np.uint8).reshape(height, -1)
    data = np.concatenate([rows, np.full((height, padding), 171, np.uint8)], axis=1)
    big = pixels.dtype.byteorder == ">"
    fields = {"height": height, "width": width, "encoding": encoding, "is_bigendian": int(big), "step": data.shape[1]}
    stamp = SimpleNamespace(sec=3, nanosec=5)
    return SimpleNamespace(**{**fields, "data": data.tobytes(), "header": SimpleNamespace(stamp=stamp), **changes})


def compressed(data: bytes, kind: str = "jpeg") -> SimpleNamespace:
    return SimpleNamespace(format=kind, data=data)


@pytest.mark.parametrize("padding", [0, 1, 5])
@pytest.mark.parametrize(
    ("encoding", "from_rgb"),
    [("rgb8", None), ("bgr8", cv2.COLOR_RGB2BGR), ("rgba8", cv2.COLOR_RGB2RGBA), ("bgra8", cv2.COLOR_RGB2BGRA)],
)
def test_colour_encodings_give_the_same_pixels_whatever_the_row_padding(
    encoding: str, from_rgb: int | None, padding: int
) -> None:
    pixels = RED_GREEN if from_rgb is None else cv2.cvtColor(RED_GREEN, from_rgb)
    assert np.array_equal(decode_image(raw(pixels, encoding, padding)), RED_GREEN)


def test_rgb8_is_a_read_only_view_of_the_message() -> None:
    msg = raw(RED_GREEN, "rgb8", padding=2)
    image = decode_image(msg)
    assert np.shares_memory(image, np.frombuffer(msg.data, np.uint8))
    assert not image.flags.writeable


@pytest.mark.parametrize("order", ["<", ">"])
def test_mono16_keeps_the_upper_byte_in_either_byte_order(order: str) -> None:
    pixels = np.array([[0x1234, 0xFF00]], f"{order}u2")
    assert decode_image(raw(pixels, "mono16")).tolist() == [[[0x12] * 3, [0xFF] * 3]]


def test_mono8_is_grey() -> None:
    assert decode_image(raw(np.array([[7, 9]], np.uint8), "mono8")).tolist() == [[[7] * 3, [9] * 3]]


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("bits", [8, 16])
def test_bayer_patterns_give_the_colour_that_was_mosaicked(pattern: str, bits: int) -> None:
    colour = {"r": 200, "g": 120, "b": 40}
    cell = np.array([colour[c] for c in pattern], np.uint16).reshape(2, 2)
    mosaic = np.tile(cell, (4, 4))
    pixels = mosaic.astype(np.uint8) if bits == 8 else (mosaic << 8).astype("<u2")
    image = decode_image(raw(pixels, f"bayer_{pattern}{bits}"))
    assert (image[2:-2, 2:-2] == [200, 120, 40]).all()


@pytest.mark.parametrize(("encoding", "luma_first"), [("uyvy", 0), ("yuv422", 0), ("yuyv", 1), ("yuv422_yuy2", 1)])
def test_yuv422_is_read_in_its_own_byte_order(encoding: str, luma_first: int) -> None:
    """BT.601: Y 82, U 90, V 240 is pure red, (255, 0, 0) but for rounding."""
    pair = [(82, 90), (82, 240)] if luma_first else [(90, 82), (240, 82)]
    image = decode_image(raw(np.array([pair, pair], np.uint8), encoding))
    assert np.abs(image.astype(int) - [255, 0, 0]).max() <= 2


def test_png_is_lossless_and_jpeg_is_close() -> None:
    smooth = cv2.resize(RED_GREEN, (64, 48), interpolation=cv2.INTER_LINEAR)
    as_bgr = cv2.cvtColor(smooth, cv2.COLOR_RGB2BGR)
    png, jpeg = (cv2.imencode(kind, as_bgr)[1].tobytes() for kind in (".png", ".jpg"))
    assert np.array_equal(decode_image(compressed(png, "rgb8; png compressed bgr8")), smooth)
    assert np.abs(decode_image(compressed(jpeg)).astype(int) - smooth).mean() < 3


def test_sixteen_bit_png_becomes_eight_bit() -> None:
    png = cv2.imencode(".png", np.full((4, 4), 0x8000, np.uint16))[1].tobytes()
    assert decode_image(compressed(png, "mono16; png compressed")).tolist() == [[[128] * 3] * 4] * 4


@given(
    width=st.integers(1, 9),
    height=st.integers(1, 9),
    padding=st.integers(0, 7),
    encoding=st.sampled_from(["rgb8", "bgr8", "mono8", "mono16", "rgba8"]),
    cut=st.integers(1, 400),
)
def test_a_buffer_shorter_than_the_header_says_never_reads_beyond_it(
    width: int, height: int, padding: int, encoding: str, cut: int
) -> None:
    sizes = {"rgb8": 3, "bgr8": 3, "mono8": 1, "mono16": 2, "rgba8": 4}
    msg = raw(np.zeros((height, width, sizes[encoding]), np.uint8), encoding, padding)
    msg.data = msg.data[: max(len(msg.data) - padding - cut, 0)]
    with pytest.raises(ImageError, match=f"{width}x{height} {encoding}.*holds {len(msg.data)} bytes"):
        decode_image(msg)


@pytest.mark.parametrize(
    ("msg", "says"),
    [
        (raw(RED_GREEN, "rgb9"), "encoding 'rgb9' is unknown.*bgr8"),
        (raw(RED_GREEN, "rgb8", width=0), "0x2 pixels"),
        (raw(RED_GREEN, "rgb8", step=3), "step 3"),
        (raw(np.zeros((2, 3, 2), np.uint8), "uyvy"), "3x2 uyvy does not convert"),
        (compressed(b""), "0 bytes does not decode"),
        (compressed(b"\xff\xd8\xff\xe0 no picture"), "15 bytes does not decode"),
        (compressed(b"x", "16UC1; compressedDepth"), "depth image"),
    ],
)
def test_broken_images_end_in_one_line(msg: SimpleNamespace, says: str) -> None:
    with pytest.raises(ImageError, match=says) as caught:
        decode_image(msg)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("options", [[], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 1]])
def test_the_size_of_a_jpeg_is_known_before_it_is_decoded(options: list[int]) -> None:
    data = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8), options)[1].tobytes()
    thumbnail = b"\xff\xe1" + (2 + len(data)).to_bytes(2, "big") + data  # another JPEG within a segment
    for changed in (data, data[:2] + thumbnail + b"\xff\xff\xff" + b"\0 no marker" + data[2:]):
        assert size_of(compressed(changed)) == (64, 48) == decode_image(compressed(changed)).shape[1::-1]
    for length in range(len(data) // 4):
        try:
            assert size_of(compressed(data[:length])) == (64, 48)
        except ImageError as error:
            assert "does not decode: not a jpeg or png" in str(error)
    with pytest.raises(ImageError, match="not a jpeg or png"):
        size_of(compressed(b"\xff\xd8" + b"\xff" * 10_000_000))


def test_an_image_of_another_size_than_the_cameras_is_not_decoded() -> None:
    """A PNG whose head says 30,000 x 30,000 pixels: decoded, it would fail in another way, after 2.7 GB."""
    png = bytearray(cv2.imencode(".png", RED_GREEN)[1].tobytes())
    png[16:24] = (30_000).to_bytes(4, "big") * 2
    png[29:33] = zlib.crc32(png[12:29]).to_bytes(4, "big")
    message = compressed(bytes(png), "png")
    with pytest.raises(ImageError, match="image is 30000x30000 but camera_info speaks of 2x2"):
        frame_from_image(message, CameraModel.from_fov(2, 2, 60))
    webp = cv2.imencode(".webp", RED_GREEN)[1].tobytes()
    with pytest.raises(ImageError, match="does not decode: not a jpeg or png"):
        frame_from_image(compressed(webp, "webp"), CameraModel.from_fov(2, 2, 60))


def test_frame_carries_the_exposure_and_refuses_the_camera_info_of_another_image() -> None:
    camera = CameraModel.from_fov(2, 2, 60)
    frame = frame_from_image(raw(RED_GREEN, "rgb8"), camera)
    assert (frame.stamp_ns, frame.camera) == (3_000_000_005, camera)
    with pytest.raises(ImageError, match="2x2 but camera_info speaks of 4x2"):
        frame_from_image(raw(RED_GREEN, "rgb8"), CameraModel.from_fov(4, 2, 60))
