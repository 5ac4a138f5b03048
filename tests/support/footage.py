"""Fills a fake store with the pictures that test messages refer to."""

from __future__ import annotations

from functools import cache

import numpy as np

from streams.domain.values import FrameRef
from streams.ports import Image
from tests.support.fake_pictures import FakePictures


def name_of(ref: FrameRef) -> str:
    return ref.uri.removeprefix("memory:///")


def show(pictures: FakePictures, *refs: FrameRef, shade: int = 0) -> None:
    """Put a picture of one shade where each reference points, as large as it says."""
    for ref in refs:
        pictures.put(name_of(ref), _plain(ref.width, ref.height, shade), time=ref.time)


def fail(pictures: FakePictures, ref: FrameRef, error: Exception) -> None:
    """From now on the picture cannot be read."""
    pictures.failures[name_of(ref)] = error


@cache
def _plain(width: int, height: int, shade: int) -> Image:
    """Made once: hundreds of frames of a property test share it."""
    picture = np.full((height, width, 3), shade, np.uint8)
    picture.flags.writeable = False
    return picture
