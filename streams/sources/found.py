"""What a detector finds in one frame."""

from __future__ import annotations

from dataclasses import dataclass

from streams.domain.values import Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Something that was recognised in one frame, not yet known to be the same as before."""

    label: str
    """A lower-case word of the detector: `person`, `bicycle`, `car`."""
    score: float
    box: Box
    region: Box
    """The part of the frame that the detector looked at."""
