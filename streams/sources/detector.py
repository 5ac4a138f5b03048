"""Finds people and things in a frame: looks at the whole of it and at windows, and merges what it finds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from math import ceil, inf
from typing import Final

import cv2
import numpy as np

from streams.domain.geometry import area, clip
from streams.domain.values import Box
from streams.ports import Floats, Image
from streams.sources import ssd
from streams.sources.found import Found

Network = Callable[[Floats], Awaitable[tuple[Floats, Floats]]]
"""Runs the graph: pictures [n, 300, 300, 3] in, box encodings [n, 1917, 4] and class logits [n, 1917, 24] out."""

SAME_THING: Final = 0.4
"""IoU from which two boxes of one label are one thing; the windows frame one bicycle in ways that agree by 0.4 to 0.5."""

PART_OF: Final = 0.8
"""Share of a box inside a larger one of its label from which it is a part, or a piece, of the same thing."""

CUT_MARGIN: Final = 0.02
"""A box this close to its window's edge (as a share of the long side), where the frame goes on, is a cut piece."""

WINDOW_RATIO: Final = 1.5
"""Long side over short side of a window; frames that are no longer than that are looked at as a whole only."""

WINDOW_STEP: Final = 0.6
"""The most that one window lies after the other, as a share of its long side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """The shipped detector over one network."""

    network: Network
    least: Mapping[str, float]
    """What is looked for: labels, and the score from which each counts."""

    def regions(self, width: int, height: int) -> tuple[Box, ...]:
        """The parts of a frame of that size that are looked at."""
        return regions(width, height)

    async def detect(self, picture: Image) -> tuple[Found, ...]:
        """What is in a picture (BGR), best score first."""
        height, width = picture.shape[:2]
        looked_at = regions(width, height)
        crops = [ssd.prepare(picture[r.y1 : r.y2, r.x1 : r.x2]) for r in looked_at]
        encodings, logits = await self.network(np.stack(crops))
        found: list[Found] = []
        for region, encoding, logit in zip(looked_at, encodings, logits, strict=True):
            candidates = ssd.decode(encoding, logit, least=min(self.least.values(), default=1.0))
            found += _in_frame(candidates, region, width, height)
        return merge(thing for thing in found if thing.score >= self.least.get(thing.label, inf))


def regions(width: int, height: int) -> tuple[Box, ...]:
    """The whole frame and, where that is long, overlapping windows along its longer side.

    The network squashes what it looks at into a square. A window of 3:2 is squashed less than a wide frame, and holds a
    bicycle from wheel to wheel, which a square of the frame's height does not.
    """
    whole = Box(0, 0, width, height)
    long, short = max(width, height), min(width, height)
    window = round(short * WINDOW_RATIO)
    if long <= window:
        return (whole,)
    number = 1 + ceil((long - window) / (window * WINDOW_STEP))
    starts = [round(place * (long - window) / (number - 1)) for place in range(number)]
    if width >= height:
        return (whole, *(Box(start, 0, start + window, short) for start in starts))
    return (whole, *(Box(0, start, short, start + window) for start in starts))


def merge(found: Iterable[Found]) -> tuple[Found, ...]:
    """One box for each thing: non-maximum suppression per label, then pieces of larger boxes are dropped."""
    ranked = sorted(found, key=lambda thing: -thing.score)
    kept = [ranked[place] for place in _suppressed(ranked)]
    return tuple(thing for thing in kept if not any(_piece(thing, other) for other in kept))


def _suppressed(ranked: list[Found]) -> list[int]:
    if not ranked:
        return []
    names = sorted({thing.label for thing in ranked})
    places = cv2.dnn.NMSBoxesBatched(
        [[float(v) for v in (thing.box.x1, thing.box.y1, thing.box.width, thing.box.height)] for thing in ranked],
        [thing.score for thing in ranked],
        [names.index(thing.label) for thing in ranked],
        0.0,
        SAME_THING,
    )
    return sorted(int(place) for place in np.asarray(places).reshape(-1))


def _piece(thing: Found, other: Found) -> bool:
    if thing is other or thing.label != other.label or area(thing.box) >= area(other.box):
        return False
    inside = Box(
        max(thing.box.x1, other.box.x1),
        max(thing.box.y1, other.box.y1),
        min(thing.box.x2, other.box.x2),
        min(thing.box.y2, other.box.y2),
    )
    return area(inside) >= PART_OF * area(thing.box)


def _in_frame(candidates: ssd.Candidates, region: Box, width: int, height: int) -> list[Found]:
    """The candidates of one region in pixels of the frame, without the pieces that the region's edge cut off."""
    scale = np.array([region.width, region.height] * 2, dtype=np.float32)
    origin = np.array([region.x1, region.y1] * 2, dtype=np.float32)
    boxes = np.rint(candidates.boxes * scale + origin).astype(int).tolist()
    found = []
    for corners, score, label in zip(boxes, candidates.scores.tolist(), candidates.labels.tolist(), strict=True):
        box = clip(Box(*corners), width, height)
        if box and not _cut(Box(*corners), region, width, height):
            found.append(Found(label=ssd.LABELS[label], score=score, box=box, region=region))
    return found


def _cut(box: Box, region: Box, width: int, height: int) -> bool:
    margin = round(CUT_MARGIN * max(region.width, region.height))
    return (
        (region.x1 > 0 and box.x1 <= region.x1 + margin)
        or (region.y1 > 0 and box.y1 <= region.y1 + margin)
        or (region.x2 < width and box.x2 >= region.x2 - margin)
        or (region.y2 < height and box.y2 >= region.y2 - margin)
    )
