"""What cannot be true of an event, however well its record can be read."""

from __future__ import annotations

from typing import Final

from streams.domain.errors import Poison
from streams.domain.geometry import area, clip
from streams.domain.messages import Event
from streams.domain.values import SECOND, Box, FrameRef, Instant

AHEAD: Final[Instant] = 24 * 3600 * SECOND
"""How far an event may be ahead of its record: room for a wrong time zone and a video played fast, not for nonsense."""


def check_event(event: Event, at: Instant) -> None:
    """Raise `Poison` for an event that would spoil its object. `at` is the time of its record.

    A time in the far future (`bad time`) would make all later updates look old; times in the past are what a replay
    has. An empty id (`bad id`) is no key.
    """
    if not event.object_id:
        raise Poison("bad id", "an object needs an id")
    times = {"frame_time": event.frame_time, "start_time": event.start_time, "end_time": event.end_time}
    for name, time in times.items():
        if time is not None and time - at > AHEAD:
            raise Poison("bad time", f"{name} {time} µs is more than a day later than its record, {at} µs")


def is_empty(box: Box | None) -> bool:
    """Whether the box holds no pixel: an object squeezed against the frame's edge, of which nothing can be shown."""
    return box is not None and area(box) == 0


def check_box(box: Box | None, frame: FrameRef) -> None:
    """Raise `Poison` (`bad box`) for a box that lies outside its frame: pictures would show something else."""
    if box is not None and clip(box, frame.width, frame.height) is None:
        raise Poison("bad box", f"{box} lies outside its frame of {frame.width} x {frame.height} pixels")
