"""Boxes, areas and regions: which part of a frame is meant. Coordinates are pixels, origin top left."""

from __future__ import annotations

from streams.domain.values import Box

_GRID = 4
"""Regions have sides that are multiples of this (Frigate's `calculate_region`)."""


def calculate_region(frame_height: int, frame_width: int, box: Box, *, min_size: int, multiplier: float) -> Box:
    """The square around `box`, moved into the frame; it exceeds a frame that is smaller than itself.

    It is `multiplier` times as large as the object, and at least `min_size` pixels. Formula: Frigate's
    `calculate_region`, to the pixel.
    """
    size = max(_GRID * int(max(box.width, box.height) * multiplier / _GRID), min_size)
    x = _start(box.x1, box.x2, size, frame_width)
    y = _start(box.y1, box.y2, size, frame_height)
    return Box(x, y, x + size, y + size)


def _start(low: int, high: int, size: int, limit: int) -> int:
    """Where a span of `size` centred on `low`..`high` starts, so that it stays within `limit` if it fits."""
    centred = int((high - low) / 2 + low - size / 2)
    return max(0, min(centred, limit - size))


def clip(box: Box, width: int, height: int) -> Box | None:
    """The part of `box` inside a frame of `width` x `height`; None: no part of it."""
    inside = Box(max(box.x1, 0), max(box.y1, 0), min(box.x2, width), min(box.y2, height))
    return inside if inside.width > 0 and inside.height > 0 else None


def area(box: Box) -> int:
    """Pixels inside `box`, `x2` and `y2` exclusive: what an event's `area` holds. Zero for a reversed box."""
    return max(0, box.width) * max(0, box.height)


def iou(one: Box, other: Box) -> float:
    """Intersection over union, 0..1 (Jaccard index)."""
    shared = area(
        Box(max(one.x1, other.x1), max(one.y1, other.y1), min(one.x2, other.x2), min(one.y2, other.y2)),
    )
    union = area(one) + area(other) - shared
    return shared / union if union else 0.0


def relative(box: Box, width: int, height: int) -> tuple[float, float, float, float]:
    """`box` as (x, y, width, height), each as a share of a frame of `width` x `height`."""
    return box.x1 / width, box.y1 / height, box.width / width, box.height / height


def from_relative(x: float, y: float, width: float, height: float, *, frame_width: int, frame_height: int) -> Box:
    """The pixels of a relative box: origin and extent are cut off to whole pixels one by one (Frigate's snapshots)."""
    left, top = int(x * frame_width), int(y * frame_height)
    return Box(left, top, left + int(width * frame_width), top + int(height * frame_height))


def scaled_size(width: int, height: int, *, to_height: int) -> tuple[int, int]:
    """Width and height of a picture resized to `to_height` with its aspect kept, at least one pixel wide."""
    return max(1, int(to_height * width / height)), to_height
