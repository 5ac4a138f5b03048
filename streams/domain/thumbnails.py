"""The pictures that are cut of one object: which are kept, which is the best, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from streams.domain.geometry import area, calculate_region
from streams.domain.messages import Event
from streams.domain.naming import object_prefix
from streams.domain.tracking import better_picture
from streams.domain.values import BestFrame, Box, FrameRef

THUMBNAILS_KEPT: Final = 10
"""Thumbnails kept of one object (upstream's MAX_THUMBNAILS)."""

THUMBNAIL_HEIGHT: Final = 500
"""Pixels; the width follows from the region (Frigate's enrichment thumbnails, as are the two below)."""

REGION_MIN_SIZE: Final = 500
"""Least side of what a thumbnail shows, pixels."""

REGION_MULTIPLIER: Final = 1.4
"""How much larger than the object that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A picture that was cut, and how the object looked in that frame."""

    picture: FrameRef
    look: BestFrame


def thumbnail_name(event: Event) -> str:
    return f"{object_prefix(event.object_id)}/thumb-{event.frame_time}.jpg"


def frame_of(event: Event) -> FrameRef | None:
    """The frame that the event's box belongs to; a frame of another time would show something else in its place."""
    return event.frame if event.frame and event.frame.time == event.frame_time else None


def thumbnail_region(box: Box | None, frame: FrameRef) -> Box:
    """What a thumbnail shows: the square around the object, or the whole frame where no box is told."""
    if box is None:
        return Box(0, 0, frame.width, frame.height)
    return calculate_region(frame.height, frame.width, box, min_size=REGION_MIN_SIZE, multiplier=REGION_MULTIPLIER)


def retain(thumbnails: tuple[FrameRef, ...], new: FrameRef) -> tuple[FrameRef, ...]:
    """The thumbnails once `new` has come: the first one for ever, then the newest, oldest first."""
    kept = thumbnails if len(thumbnails) < THUMBNAILS_KEPT else (thumbnails[0], *thumbnails[2:])
    return (*kept, new)


def best_shot(known: Shot | None, event: Event, picture: FrameRef) -> Shot:
    """The better one of the best shot so far and a new picture.

    Where upstream names the best frame and one of the two is of it, that one is; else the rule that upstream goes by
    decides (`tracking.better_picture`).
    """
    box = event.box or Box(0, 0, 0, 0)
    look = BestFrame(
        frame_time=event.frame_time,
        box=box,
        area=event.area or area(box),
        score=event.score,
        attributes=event.current_attributes,
    )
    if known is None or _shows_better(look, known.look, event):
        return Shot(picture=picture, look=look)
    return known


def _shows_better(new: BestFrame, known: BestFrame, event: Event) -> bool:
    if event.best and event.best.frame_time in {known.frame_time, new.frame_time}:
        return event.best.frame_time != known.frame_time
    width, height = (event.frame.width, event.frame.height) if event.frame else (0, 0)
    return better_picture(event.label, new, known, width=width, height=height)
