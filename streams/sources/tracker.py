"""Follows what the detector finds from frame to frame: predicted boxes and found ones are matched, label by label."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment

from streams.domain.tracking import Patience
from streams.domain.values import Box, Detection, Instant
from streams.sources.found import Found
from streams.sources.kalman import Motion, begin, correct, predict

LEAST_AFFINITY: Final = -0.2
"""Generalised IoU below which two boxes are not the same object; below 0, since fast objects jump past their box."""

NameObject = Callable[[Instant, int], str]
"""Makes the id of an object from the time of its first frame and its number among the tracks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracks:
    """What became of the tracks in one frame."""

    seen: tuple[Detection, ...] = ()
    """The objects that were found in this frame."""
    gone: tuple[str, ...] = ()
    """The objects that left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Track:
    found: Found
    """The last time that it was found."""
    motion: Motion
    object_id: str | None = None
    """None: seen too little to be an object."""
    hits: int = 0
    misses: int = 0


class Tracker:
    """The tracks of one camera. A track becomes an object at its `min_initialized`-th hit."""

    def __init__(self, *, patience: Patience, name: NameObject) -> None:
        self._patience, self._name = patience, name
        self._numbers = count(1)
        self._tracks: list[_Track] = []

    def update(self, found: Sequence[Found], time: Instant) -> Tracks:
        """Take in one frame, in which `found` was found."""
        known = [replace(track, motion=predict(track.motion), misses=track.misses + 1) for track in self._tracks]
        matched = _match(known, found)
        new = [thing for place, thing in enumerate(found) if place not in matched.values()]
        tracks = [
            *(self._hit(known[track], found[thing], time) for track, thing in matched.items()),
            *(self._hit(_Track(found=thing, motion=begin(thing.box)), thing, time) for thing in new),
            *(track for place, track in enumerate(known) if place not in matched),
        ]
        self._tracks = [track for track in tracks if not self._lost(track)]
        return Tracks(
            seen=tuple(
                _detection(track.object_id, track.found) for track in tracks if track.object_id and not track.misses
            ),
            gone=_objects(track for track in tracks if self._lost(track)),
        )

    def restart(self) -> tuple[str, ...]:
        """Forget everything, as after a cut of the film; returns the objects that left with it."""
        gone = _objects(self._tracks)
        self._tracks = []
        return gone

    def _hit(self, track: _Track, thing: Found, time: Instant) -> _Track:
        hits = track.hits + 1
        object_id = track.object_id
        if object_id is None and hits >= self._patience.min_initialized:
            object_id = self._name(time, next(self._numbers))
        motion = correct(track.motion, thing.box)
        return replace(track, found=thing, motion=motion, object_id=object_id, hits=hits, misses=0)

    def _lost(self, track: _Track) -> bool:
        """An object is waited for; what is not one yet is dropped once it was missed as often as it was seen."""
        if track.object_id is None:
            return track.misses >= track.hits
        return track.misses > self._patience.max_disappeared


def affinity(one: Box, other: Box) -> float:
    """Generalised IoU (Rezatofighi et al. 2019), -1..1: like IoU, and below 0 the further two boxes are apart."""
    width = min(one.x2, other.x2) - max(one.x1, other.x1)
    height = min(one.y2, other.y2) - max(one.y1, other.y1)
    shared = max(0, width) * max(0, height)
    union = one.width * one.height + other.width * other.height - shared
    around = (max(one.x2, other.x2) - min(one.x1, other.x1)) * (max(one.y2, other.y2) - min(one.y1, other.y1))
    return shared / union - (around - union) / around if union and around else -1.0


def _match(tracks: Sequence[_Track], found: Sequence[Found]) -> dict[int, int]:
    """Places of tracks and of found things that belong together, with the highest affinity in total."""
    never = LEAST_AFFINITY - 2
    table = np.full((len(tracks), len(found)), float(never))
    for row, track in enumerate(tracks):
        for column, thing in enumerate(found):
            if track.found.label == thing.label:
                table[row, column] = max(never, affinity(track.motion.box, thing.box))
    rows, columns = linear_sum_assignment(table, maximize=True)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return {row: column for row, column in pairs if table[row, column] >= LEAST_AFFINITY}


def _detection(object_id: str, found: Found) -> Detection:
    return Detection(object_id=object_id, label=found.label, score=found.score, box=found.box, region=found.region)


def _objects(tracks: Iterable[_Track]) -> tuple[str, ...]:
    return tuple(track.object_id for track in tracks if track.object_id)
