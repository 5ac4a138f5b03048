"""Every kind of picture is decoded, and every kind of nonsense refused before it costs anything."""

import struct
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest

from streams.adapters.decode import Planes, check_declared, decode
from streams.domain.errors import Poison
from streams.domain.values import Box, FrameRef, PixelFormat
from streams.ports import Image

LIMIT = 1_000_000


def ref(pixel_format: PixelFormat = PixelFormat.JPEG, width: int = 0, height: int = 0) -> FrameRef:
    return FrameRef(uri="memory:///x", width=width, height=height, format=pixel_format, time=0)


def scene(width: int = 160, height: int = 96) -> Image:
    """Smooth colours, so that lossy formats stay near."""
    coarse = np.random.default_rng(5).integers(0, 255, (4, 6, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def encoded(extension: str, picture: Image) -> bytes:
    return cv2.imencode(extension, picture)[1].tobytes()


def i420(picture: Image) -> bytes:
    return cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).tobytes()


def whole(source) -> Image:
    return source.cut(Box(0, 0, source.width, source.height))


@pytest.mark.parametrize(
    ("declared", "extension"),
    [
        (PixelFormat.JPEG, ".jpg"),
        (PixelFormat.PNG, ".png"),
        (PixelFormat.WEBP, ".webp"),
        (PixelFormat.UNKNOWN, ".webp"),
        (PixelFormat.JPEG, ".webp"),
        (PixelFormat.PNG, ".jpg"),
    ],
)
def test_encoded_pictures_are_read_whatever_they_are_said_to_be(declared, extension) -> None:
    source = decode(ref(declared), encoded(extension, scene()), max_pixels=LIMIT)

    assert (source.width, source.height) == (160, 96)
    assert np.abs(whole(source).astype(int) - scene()).mean() < 4


@pytest.mark.parametrize("kind", [cv2.IMREAD_GRAYSCALE, cv2.IMREAD_UNCHANGED])
def test_grey_and_transparent_and_deep_pictures_become_blue_green_red(kind) -> None:
    other = {
        cv2.IMREAD_GRAYSCALE: cv2.cvtColor(scene(), cv2.COLOR_BGR2GRAY),
        cv2.IMREAD_UNCHANGED: cv2.cvtColor(scene().astype(np.uint16) * 257, cv2.COLOR_BGR2BGRA),
    }[kind]

    image = whole(decode(ref(), encoded(".png", other), max_pixels=LIMIT))

    assert (image.shape, image.dtype) == ((96, 160, 3), np.uint8)


def test_raw_bgr_is_taken_as_it_lies() -> None:
    source = decode(ref(PixelFormat.BGR, 160, 96), scene().tobytes(), max_pixels=LIMIT)

    assert (whole(source) == scene()).all()


@pytest.mark.parametrize("size", [(160, 96), (162, 98), (2, 2), (322, 6)])
@pytest.mark.parametrize("inset", [(0, 0, 0, 0), (2, 4, 2, 2), (1, 1, 1, 1), (3, 2, 0, 1), (1, 0, 0, 0)])
def test_cutting_i420_first_equals_converting_all_of_it(size, inset) -> None:
    width, height = size
    data = i420(scene(width, height))
    region = Box(inset[0], inset[1], max(inset[0] + 1, width - inset[2]), max(inset[1] + 1, height - inset[3]))
    region = Box(min(region.x1, width - 1), min(region.y1, height - 1), min(region.x2, width), min(region.y2, height))
    yuv = np.frombuffer(data, np.uint8).reshape(height * 3 // 2, width)
    full = cv2.cvtColor(yuv, cv2.COLOR_YUV2BGR_I420)

    source = decode(ref(PixelFormat.I420, width, height), data, max_pixels=LIMIT)

    assert isinstance(source, Planes)
    assert (source.cut(region) == full[region.y1 : region.y2, region.x1 : region.x2]).all()
    assert source.nbytes == len(data)


@pytest.mark.parametrize("pixel_format", [PixelFormat.JPEG, PixelFormat.I420, PixelFormat.BGR])
def test_what_is_shared_cannot_be_written_to(pixel_format) -> None:
    data = {PixelFormat.JPEG: encoded(".jpg", scene()), PixelFormat.I420: i420(scene())}.get(
        pixel_format, scene().tobytes()
    )
    source = decode(ref(pixel_format, 160, 96), data, max_pixels=LIMIT)

    planes = (source.y, source.u, source.v) if isinstance(source, Planes) else (source.image,)
    assert not any(plane.flags.writeable for plane in planes)


@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.999])
def test_a_picture_that_is_cut_off_is_bad(extension, share) -> None:
    data = encoded(extension, scene(320, 240))

    with pytest.raises(Poison, match="bad picture"):
        decode(ref(), data[: int(len(data) * share)], max_pixels=LIMIT)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"this is a text file called frame.jpg",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0" + bytes(200),
        b"\x89PNG\r\n\x1a\n",
        b"RIFF\x24\x00\x00\x00WAVEfmt ",
        b"GIF89a\x01\x00\x01\x00\x00\x00\x00",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        bytes(1000),
    ],
)
def test_nonsense_is_bad(data) -> None:
    with pytest.raises(Poison, match="bad picture: memory:///x"):
        decode(ref(), data, max_pixels=LIMIT)


def large_jpeg(width: int, height: int) -> bytes:
    """A small valid JPEG whose header claims another size."""
    data = bytearray(encoded(".jpg", scene(16, 16)))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def large_png(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + bytes(100)


@pytest.mark.parametrize("data", [large_jpeg(12_000, 9_000), large_png(12_000, 9_000), large_png(2**31 - 1, 2**31 - 1)])
def test_a_hundred_megapixels_are_refused_by_their_header_alone(data) -> None:
    tracemalloc.start()
    with pytest.raises(Poison, match=r"picture too large: .*store\.max_pixels is 40000000"):
        decode(ref(), data, max_pixels=40_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 1_000_000


@pytest.mark.parametrize("change", [-1, 1, -1000])
@pytest.mark.parametrize("pixel_format", [PixelFormat.I420, PixelFormat.BGR])
def test_a_raw_picture_of_the_wrong_length_is_bad(pixel_format, change) -> None:
    length = 160 * 96 * (3 if pixel_format is PixelFormat.BGR else 1.5)

    with pytest.raises(Poison, match=f"{pixel_format} of 160 x 96 has {int(length)}"):
        decode(ref(pixel_format, 160, 96), bytes(int(length) + change), max_pixels=LIMIT)


@pytest.mark.parametrize(
    ("pixel_format", "width", "height", "reason"),
    [
        (PixelFormat.I420, 161, 96, "bad picture"),
        (PixelFormat.I420, 160, 95, "bad picture"),
        (PixelFormat.BGR, 0, 96, "bad picture"),
        (PixelFormat.BGR, 160, -1, "bad picture"),
        (PixelFormat.I420, 1_000, 1_002, "picture too large"),
        (PixelFormat.BGR, 2**31, 2**31, "picture too large"),
    ],
)
def test_a_raw_picture_is_judged_by_its_declared_size_before_it_is_read(pixel_format, width, height, reason) -> None:
    with pytest.raises(Poison, match=reason):
        check_declared(ref(pixel_format, width, height), max_pixels=LIMIT)


def test_odd_sizes_of_raw_bgr_and_any_declared_size_of_a_jpeg_pass() -> None:
    check_declared(ref(PixelFormat.BGR, 161, 95), max_pixels=LIMIT)
    check_declared(ref(PixelFormat.JPEG, -1, 10**9), max_pixels=LIMIT)


def test_a_rotated_picture_keeps_its_stored_orientation() -> None:
    exif = (
        b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
    )
    data = encoded(".jpg", scene())
    turned = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]

    source = decode(ref(), turned, max_pixels=LIMIT)

    assert (source.width, source.height) == (160, 96)
