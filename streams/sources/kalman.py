"""A Kalman filter of constant velocity for one bounding box: where it will be in the next frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.domain.values import Box

Numbers = NDArray[np.float64]

POSITION_NOISE: Final = 0.05
"""Deviation of a detector's box, as a share of the object's size."""

VELOCITY_NOISE: Final = 0.1
"""Deviation of the change of velocity per frame, as a share of the object's size; high, as frames are far apart."""

_STEP: Final = np.array([[1.0, 1.0], [0.0, 1.0]])


@dataclass(frozen=True, slots=True)
class Motion:
    """Four independent filters, for centre x, centre y, width and height of a box, in pixels and pixels per frame."""

    mean: Numbers
    """[4, 2]: value and velocity."""
    covariance: Numbers
    """[4, 2, 2]."""

    @property
    def box(self) -> Box:
        x, y, width, height = self.mean[:, 0].tolist()
        width, height = max(1.0, width), max(1.0, height)
        return Box(round(x - width / 2), round(y - height / 2), round(x + width / 2), round(y + height / 2))


def begin(box: Box) -> Motion:
    """Nothing is known of the velocity yet: any up to the object's own size per frame is likely."""
    size = _size(box)
    mean = np.stack([_measured(box), np.zeros(4)], axis=1)
    spread = np.diag([(POSITION_NOISE * size) ** 2, (size / 2) ** 2])
    return Motion(mean, np.repeat(spread[np.newaxis], 4, axis=0))


def predict(motion: Motion) -> Motion:
    """One frame later."""
    noise = np.diag([0.0, (VELOCITY_NOISE * _size(motion.box)) ** 2])
    return Motion(motion.mean @ _STEP.T, _STEP @ motion.covariance @ _STEP.T + noise)


def correct(motion: Motion, box: Box) -> Motion:
    """With what the detector saw."""
    variance = motion.covariance[:, 0, 0] + (POSITION_NOISE * _size(box)) ** 2
    gain = motion.covariance[:, :, 0] / variance[:, np.newaxis]
    surprise = _measured(box) - motion.mean[:, 0]
    mean = motion.mean + gain * surprise[:, np.newaxis]
    covariance = motion.covariance - gain[:, :, np.newaxis] * motion.covariance[:, np.newaxis, 0, :]
    return Motion(mean, covariance)


def _measured(box: Box) -> Numbers:
    return np.array([(box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2, box.width, box.height], dtype=np.float64)


def _size(box: Box) -> float:
    return max(1.0, (box.width + box.height) / 2)
