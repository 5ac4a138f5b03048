"""Where something moves in a frame, and whether the film was cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from streams.domain.values import Box
from streams.ports import Floats, Image

HEIGHT: Final = 100
"""Pictures are compared at this height, pixels."""

DIFFERENT: Final = 30
"""Grey levels that a pixel must differ from the background."""

LEAST_AREA: Final = 10
"""Pixels (at that height) that must differ together."""

ADAPTATION: Final = 0.1
"""How much of each frame goes into the background."""

CUT_DISTANCE: Final = 0.4
"""Bhattacharyya distance of two frames' colours from which they belong to different scenes.

In street videos neighbouring frames stay below 0.3 and cuts lie above 0.5.
"""

_BINS: Final = (32, 32)
_RANGES: Final = (0, 180, 0, 256)


@dataclass(frozen=True, slots=True)
class Movement:
    """What moved since the last frames."""

    boxes: tuple[Box, ...] = ()
    cut: bool = False
    """The frame belongs to another scene than the one before."""


class MotionDetector:
    """Compares each frame of one camera with a background that slowly follows it."""

    def __init__(self) -> None:
        self._background: Floats | None = None
        self._colours: Floats | None = None

    def look(self, picture: Image) -> Movement:
        """What moved in a picture (BGR)."""
        small, colours = _small_grey(picture), _colours(picture)
        background, before = self._background, self._colours
        self._colours = colours
        if background is None or before is None or _distance(before, colours) > CUT_DISTANCE:
            self._background = small.astype(np.float32)
            return Movement(cut=background is not None)
        boxes = _differing(small, background, scale=picture.shape[0] / small.shape[0])
        cv2.accumulateWeighted(small, background, ADAPTATION)
        return Movement(boxes=boxes)


def _small_grey(picture: Image) -> Image:
    height, width = picture.shape[:2]
    size = (max(1, round(width * HEIGHT / height)), HEIGHT)
    small = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (3, 3), 0), dtype=np.uint8)


def _colours(picture: Image) -> Floats:
    """The histogram of hue and saturation, which moving objects change little and a cut changes wholly."""
    small = cv2.resize(picture, (160, 120), interpolation=cv2.INTER_AREA)
    counts = cv2.calcHist([cv2.cvtColor(small, cv2.COLOR_BGR2HSV)], [0, 1], None, _BINS, _RANGES)
    return np.asarray(counts / counts.sum(), dtype=np.float32)


def _distance(one: Floats, other: Floats) -> float:
    return float(cv2.compareHist(one, other, cv2.HISTCMP_BHATTACHARYYA))


def _differing(small: Image, background: Floats, *, scale: float) -> tuple[Box, ...]:
    delta = cv2.absdiff(small, cv2.convertScaleAbs(background))
    mask = cv2.dilate(cv2.threshold(delta, DIFFERENT, 255, cv2.THRESH_BINARY)[1], np.ones((3, 3), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    return tuple(
        Box(*(round(value * scale) for value in (x, y, x + width, y + height)))
        for x, y, width, height, area in stats[1:].tolist()
        if area >= LEAST_AREA
    )
