"""How long things are remembered, in the unit that messages use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from streams.domain.values import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """All in microseconds."""

    objects: Instant
    """From an object's end until its record, vectors and pictures are deleted."""
    open_objects: Instant
    """From an object's latest event until it counts as ended unnoticed."""
    ended: Instant
    """How long an end or a deletion is remembered; longer than topics are kept, so that nothing late revives it."""

    @classmethod
    def of(cls, *, objects: timedelta, open_objects: timedelta, ended: timedelta) -> Retention:
        return cls(objects=micros(objects), open_objects=micros(open_objects), ended=micros(ended))


def micros(duration: timedelta) -> Instant:
    return duration // timedelta(microseconds=1)
