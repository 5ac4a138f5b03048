"""Events that a camera system should not send, and what becomes of each: a dead letter of that reason, or an object."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from streams.domain.messages import Event
from streams.domain.values import SECOND, Box, FrameRef, Instant, PixelFormat
from tests.support.builders import event

LONG_AGO: Instant = -SECOND
WEEK: Instant = 7 * 86_400 * SECOND
BEYOND_ALL_CALENDARS: Instant = 2**62
BOX = Box(40, 40, 90, 200)
"""Inside every frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """`reason` None: nothing is wrong enough to bury it. `thumbnails`: whether a picture can be cut all the same."""

    event: Event
    reason: str | None = None
    thumbnails: bool = False


def odd_events(frame: FrameRef) -> Iterator[tuple[str, Odd]]:
    """Each with its own object, at the time of `frame`, which shows something."""

    def odd(name: str, reason: str | None = None, *, thumbnails: bool = False, **parts: object) -> tuple[str, Odd]:
        start = frame.time - SECOND
        told = replace(event(), object_id=f"odd {name}", box=BOX, frame=frame, frame_time=frame.time, start_time=start)
        return name, Odd(event=replace(told, **parts), reason=reason, thumbnails=thumbnails)  # type: ignore[arg-type]

    yield odd("strange id", object_id="🚲 / ../../x\u0000\n'\"#%00", thumbnails=True)
    yield odd("long id", object_id="x" * 10_000, thumbnails=True)
    yield odd("no id", "bad id", object_id="")
    yield odd("unknown camera", camera="never heard of", thumbnails=True)
    yield odd("long ago", frame=None, frame_time=LONG_AGO, start_time=LONG_AGO)
    yield odd("next week", "bad time", frame_time=frame.time + WEEK, frame=None)
    yield odd("beyond all calendars", "bad time", start_time=BEYOND_ALL_CALENDARS)
    yield odd("before all calendars", "unencodable", start_time=-BEYOND_ALL_CALENDARS)
    yield odd("frame of another time", frame=replace(frame, time=frame.time + 1))
    yield odd("box outside", "bad box", box=Box(50_000, 10, 50_100, 90))
    yield odd("box of no area", box=Box(10, 10, 10, 90))
    yield odd("box reversed", box=Box(90, 90, 10, 10))
    yield odd("box far too large", box=Box(-(2**31), -(2**31), 2**31 - 1, 2**31 - 1), thumbnails=True)
    yield odd("lost frame", frame=replace(frame, uri=f"{frame.uri}.lost"))
    yield odd("another store", "outside the stores", frame=replace(frame, uri="s3://elsewhere/frame.jpg"))
    yield odd("link-local", "outside the stores", frame=replace(frame, uri="http://169.254.169.254/latest/meta-data"))
    yield odd("file outside", "outside the stores", frame=replace(frame, uri="file:///etc/hostname"))
    yield odd("not as large as told", "bad picture", frame=replace(frame, width=4000))
    yield odd("raw of another size", "bad picture", frame=replace(frame, format=PixelFormat.I420))
    yield odd(
        "raw and huge", "picture too large", frame=replace(frame, format=PixelFormat.BGR, width=9**5, height=9**5)
    )
    yield odd("of no size", "bad box", frame=replace(frame, width=-2, height=0))
    yield odd(
        "upstream's thumbnail elsewhere", thumbnail=replace(frame, uri="http://169.254.169.254/"), thumbnails=True
    )
