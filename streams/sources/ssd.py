"""The shipped detector, an SSD-MobileNetV2 of 24 Open Images classes: its input, anchors, outputs and class names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import ceil, sqrt
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from streams.ports import Floats, Image

MODEL: Final = "ssd_oidv4.onnx"
SIDE: Final = 300
"""Side of the square input, pixels."""

INPUT: Final = "image"
OUTPUTS: Final = ("raw_outputs_box_encodings", "raw_outputs_class_predictions")

LABELS: Final = (
    "background", "bicycle", "boot", "laptop", "person", "chair", "cattle", "desk", "cat", "computer mouse",
    "computer monitor", "box", "mug", "coffee cup", "stationary bicycle", "table", "bottle", "high heels", "vehicle",
    "footwear", "dog", "book", "camera", "car",
)  # fmt: skip

_STRIDES: Final = (16, 32, 64, 128, 256, 512)
_SCALES: Final = (*(0.2 + 0.75 * layer / 5 for layer in range(6)), 1.0)
_CENTRE_WEIGHT: Final = 10.0
_SIZE_WEIGHT: Final = 5.0
"""The weights of the box coder of the TensorFlow object detection models."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """What one picture's outputs amount to: `boxes` [n, 4] as x1, y1, x2, y2 in 0..1, `scores` [n], `labels` [n]."""

    boxes: Floats
    scores: Floats
    labels: NDArray[np.intp]


def prepare(picture: Image) -> Floats:
    """A picture of any size as the network wants it: RGB in -1..1, float32 [300, 300, 3]."""
    square = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return (cv2.cvtColor(square, cv2.COLOR_BGR2RGB).astype(np.float32) / np.float32(127.5)) - np.float32(1)


def decode(encodings: Floats, logits: Floats, *, least: float) -> Candidates:
    """The boxes whose best class scores at least `least`.

    `encodings` [1917, 4] are offsets from the anchors (y, x, height, width), `logits` [1917, 24] include the background.
    """
    scores = _sigmoid(logits[:, 1:])
    labels, best = scores.argmax(axis=1), scores.max(axis=1)
    kept = np.flatnonzero(best >= least)
    offset, anchor = encodings[kept], anchors()[kept]
    centre = offset[:, [1, 0]] / _CENTRE_WEIGHT * anchor[:, 2:] + anchor[:, :2]
    half = np.exp(offset[:, [3, 2]] / _SIZE_WEIGHT) * anchor[:, 2:] / 2
    boxes = np.concatenate((centre - half, centre + half), axis=1).astype(np.float32)
    return Candidates(boxes, best[kept], labels[kept] + 1)


@cache
def anchors() -> Floats:
    """The 1917 anchors, float32 [1917, 4]: centre x, centre y, width, height in 0..1. Read-only."""
    rows = np.array(list(_anchor_rows()), dtype=np.float32)
    rows.flags.writeable = False
    return rows


def _anchor_rows() -> Iterator[tuple[float, float, float, float]]:
    for layer, stride in enumerate(_STRIDES):
        cells, shapes = ceil(SIDE / stride), _shapes(layer)
        for row in range(cells):
            for column in range(cells):
                for ratio, scale in shapes:
                    yield (
                        (column + 0.5) / cells,
                        (row + 0.5) / cells,
                        scale * sqrt(ratio),
                        scale / sqrt(ratio),
                    )


def _shapes(layer: int) -> list[tuple[float, float]]:
    """Aspect ratio and scale of a layer's anchors; the first layer has three, the others six."""
    scale = _SCALES[layer]
    if layer == 0:
        return [(1.0, 0.1), (2.0, scale), (0.5, scale)]
    ratios = [(ratio, scale) for ratio in (1.0, 2.0, 0.5, 3.0, 1 / 3)]
    return [*ratios, (1.0, sqrt(scale * _SCALES[layer + 1]))]


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-values)), dtype=np.float32)
