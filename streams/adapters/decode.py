"""Turns a picture's bytes into pixels: size and kind are read from its header before anything is decoded."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Protocol

import cv2
import imagesize
import numpy as np

from streams.domain.errors import Poison
from streams.domain.values import Box, FrameRef, PixelFormat
from streams.ports import Image

_MAGIC = {PixelFormat.JPEG: b"\xff\xd8\xff", PixelFormat.PNG: b"\x89PNG\r\n\x1a\n", PixelFormat.WEBP: b"RIFF"}
_RAW_BITS = {PixelFormat.I420: 12, PixelFormat.BGR: 24}
"""Bits per pixel of the formats that have no header."""


class Source(Protocol):
    """A picture from which regions are cut. Its pixels are never written to."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    @property
    def nbytes(self) -> int:
        """What it occupies in memory."""
        ...

    def cut(self, region: Box) -> Image:
        """The pixels of a region that lies inside the picture."""
        ...


@dataclass(frozen=True, slots=True)
class Pixels:
    """A decoded picture."""

    image: Image

    @property
    def width(self) -> int:
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        return int(self.image.shape[0])

    @property
    def nbytes(self) -> int:
        return self.image.nbytes

    def cut(self, region: Box) -> Image:
        return self.image[region.y1 : region.y2, region.x1 : region.x2]


@dataclass(frozen=True, slots=True)
class Planes:
    """A raw I420 frame: luma [height, width], then both chroma planes at half the size; BT.601, limited range."""

    y: Image
    u: Image
    v: Image

    @property
    def width(self) -> int:
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        return int(self.y.shape[0])

    @property
    def nbytes(self) -> int:
        return self.y.nbytes + self.u.nbytes + self.v.nbytes

    def cut(self, region: Box) -> Image:
        """Cut first, convert then: a thumbnail of a 4K frame costs a fraction of converting the frame.

        Chroma is shared by blocks of 2 x 2 pixels, so whole blocks are converted and what is too much is cut off.
        """
        x, y = region.x1 & ~1, region.y1 & ~1
        width, height = (region.x2 + 1 & ~1) - x, (region.y2 + 1 & ~1) - y
        chroma = slice(y // 2, (y + height) // 2), slice(x // 2, (x + width) // 2)
        block = np.concatenate(
            [self.y[y : y + height, x : x + width].ravel(), self.u[chroma].ravel(), self.v[chroma].ravel()]
        )
        image = cv2.cvtColor(block.reshape(height * 3 // 2, width), cv2.COLOR_YUV2BGR_I420)
        return np.asarray(image[region.y1 - y : region.y2 - y, region.x1 - x : region.x2 - x], dtype=np.uint8)


def check_declared(ref: FrameRef, *, max_pixels: int) -> None:
    """Refuse a raw picture by what its reference declares, before it is read. Raises `Poison`."""
    if ref.format not in _RAW_BITS:
        return
    even = ref.width % 2 == 0 and ref.height % 2 == 0
    if ref.width <= 0 or ref.height <= 0 or (ref.format is PixelFormat.I420 and not even):
        raise Poison("bad picture", f"{ref.uri}: {ref.format} of {ref.width} x {ref.height} pixels cannot be")
    _check_size(ref.uri, ref.width, ref.height, max_pixels)


def decode(ref: FrameRef, data: bytes, *, max_pixels: int) -> Source:
    """The picture in `data`, read-only. What a header says counts, not the reference's `format`.

    Raises `Poison`: `bad picture` when it cannot be read or a raw one has the wrong length, `picture too large` when
    it has more than `max_pixels`.
    """
    source = _raw(ref, data) if ref.format in _RAW_BITS else Pixels(_encoded(ref, data, max_pixels))
    for plane in (source.image,) if isinstance(source, Pixels) else (source.y, source.u, source.v):
        plane.flags.writeable = False
    return source


def _raw(ref: FrameRef, data: bytes) -> Pixels | Planes:
    width, height = ref.width, ref.height
    expected = width * height * _RAW_BITS[ref.format] // 8
    if len(data) != expected:
        raise Poison("bad picture", f"{ref.uri}: {len(data)} bytes; {ref.format} of {width} x {height} has {expected}")
    flat = np.frombuffer(data, np.uint8)
    if ref.format is PixelFormat.BGR:
        return Pixels(flat.reshape(height, width, 3))
    luma, chroma = width * height, width * height // 4
    half = (height // 2, width // 2)
    u, v = flat[luma : luma + chroma], flat[luma + chroma :]
    return Planes(flat[:luma].reshape(height, width), u.reshape(half), v.reshape(half))


def _encoded(ref: FrameRef, data: bytes, max_pixels: int) -> Image:
    if not any(data.startswith(magic) for magic in _MAGIC.values()):
        raise Poison("bad picture", f"{ref.uri}: {len(data)} bytes that are neither JPEG, PNG nor WebP")
    width, height = map(int, imagesize.get(io.BytesIO(data), exif_rotation=False))
    if width <= 0 or height <= 0:
        raise Poison("bad picture", f"{ref.uri}: its header names no size")
    _check_size(ref.uri, width, height, max_pixels)
    return _decoded(ref, data)


def _decoded(ref: FrameRef, data: bytes) -> Image:
    # The stored orientation is kept: boxes speak of the pixels as they lie in the file.
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise Poison("bad picture", f"{ref.uri}: {error.err}") from error
    if image is None:
        raise Poison("bad picture", f"{ref.uri}: damaged or cut off ({len(data)} bytes)")
    return np.asarray(image, dtype=np.uint8)


def _check_size(uri: str, width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise Poison("picture too large", f"{uri}: {width} x {height} pixels, store.max_pixels is {max_pixels}")
