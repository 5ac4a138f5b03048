"""Pictures as files: frames and snapshots as JPEG, thumbnails as the camera system makes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from streams.domain.geometry import calculate_region, clip, scaled_size
from streams.domain.values import Box, PixelFormat
from streams.ports import Image

FRAME_QUALITY: Final = 90
SNAPSHOT_QUALITY: Final = 70
"""The default of the camera system's snapshots."""

THUMBNAIL_QUALITY: Final = 60
THUMBNAIL_HEIGHT: Final = 175
THUMBNAIL_MIN_SIZE: Final = 300
THUMBNAIL_MULTIPLIER: Final = 1.1
"""What the camera system's thumbnails show: a square of at least 300 pixels around the box."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """An encoded picture."""

    data: bytes
    width: int
    height: int
    format: PixelFormat


def frame_still(picture: Image) -> Still:
    """A frame (BGR) as the pipeline reads it."""
    return _jpeg(picture, FRAME_QUALITY)


def snapshot_still(picture: Image) -> Still:
    """The whole frame that shows an object best, nothing drawn on it."""
    return _jpeg(picture, SNAPSHOT_QUALITY)


def thumbnail_still(picture: Image, box: Box) -> Still:
    """The square around `box`, 175 pixels high, as WebP; narrower or wider where the frame's edge cuts the square."""
    height, width = picture.shape[:2]
    square = calculate_region(height, width, box, min_size=THUMBNAIL_MIN_SIZE, multiplier=THUMBNAIL_MULTIPLIER)
    region = clip(square, width, height) or Box(0, 0, width, height)
    crop = picture[region.y1 : region.y2, region.x1 : region.x2]
    size = scaled_size(region.width, region.height, to_height=THUMBNAIL_HEIGHT)
    small = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA))
    data = cv2.imencode(".webp", small, [cv2.IMWRITE_WEBP_QUALITY, THUMBNAIL_QUALITY])[1]
    return Still(data=data.tobytes(), width=size[0], height=size[1], format=PixelFormat.WEBP)


def _jpeg(picture: Image, quality: int) -> Still:
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return Still(data=data.tobytes(), width=picture.shape[1], height=picture.shape[0], format=PixelFormat.JPEG)
