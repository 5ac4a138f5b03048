"""Messages for tests: complete, plausible, and each part changeable by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from streams.domain.messages import Event, ObjectRecord, Sighting
from streams.domain.retention import Retention
from streams.domain.values import SECOND, Box, Facts, FrameRef, Instant, Outcome, Phase, PictureSet, Reason

START: Final[Instant] = 1_764_000_000 * SECOND
OBJECT: Final = "1764000000.000000-abc123"
HOUR: Final[Instant] = 3600 * SECOND
DAY: Final[Instant] = 24 * HOUR
RETENTION: Final = Retention(objects=30 * DAY, open_objects=12 * HOUR, ended=8 * DAY)


def at(second: float) -> Instant:
    """The time so many seconds after the object appeared."""
    return START + round(second * SECOND)


def frame(second: float = 0, **parts: Any) -> FrameRef:
    time = at(second)
    told = FrameRef(uri=f"memory:///frames/porch/{time}.jpg", width=1280, height=720, time=time)
    return replace(told, **parts)


def picture(name: str, second: float = 0) -> FrameRef:
    return FrameRef(uri=f"memory:///{name}.jpg", width=500, height=500, time=at(second))


def event(second: float = 0, **parts: Any) -> Event:
    """An update about a moving person, its frame included."""
    told = Event(
        object_id=OBJECT,
        camera="porch",
        label="person",
        frame=frame(second),
        frame_time=at(second),
        start_time=START,
        score=0.8,
        top_score=0.8,
        box=Box(600, 300, 680, 420),
        area=9600,
        position_changes=1,
    )
    return replace(told, **parts)


def start(second: float = 0, **parts: Any) -> Event:
    return replace(event(second, phase=Phase.START, false_positive=True), **parts)


def end(second: float, **parts: Any) -> Event:
    return replace(event(second, phase=Phase.END, end_time=at(second)), **parts)


def life(updates: int, object_id: str = OBJECT, camera: str = "porch") -> list[Event]:
    """A whole object: its start, so many updates a second apart, its end."""
    moving = [event(second) for second in range(1, updates + 1)]
    return [replace(each, object_id=object_id, camera=camera) for each in (start(), *moving, end(updates + 1))]


def facts(second: float = 0, **parts: Any) -> Facts:
    told = Facts(
        camera="porch",
        label="person",
        start_time=START,
        frame_time=at(second),
        score=0.8,
        top_score=0.8,
    )
    return replace(told, **parts)


def sighting(second: float = 0, **parts: Any) -> Sighting:
    told = Sighting(
        object_id=OBJECT,
        reason=Reason.SEEN,
        facts=facts(second),
        pictures=PictureSet(best=picture("best", second)),
        updates=1,
    )
    return replace(told, **parts)


def record(second: float = 0, **parts: Any) -> ObjectRecord:
    """A record of an object that has ended."""
    told = ObjectRecord(
        object_id=OBJECT,
        revision=at(second),
        facts=facts(second, end_time=at(second)),
        pictures=PictureSet(best=picture("best")),
        updates=1,
        outcome=Outcome.DONE,
    )
    return replace(told, **parts)
