"""Crops: an object's own picture out of one frame, with room around it for whoever looks at it."""

from __future__ import annotations

from typing import Final

from streams.domain.geometry import calculate_region, clip
from streams.domain.messages import Crop, Event
from streams.domain.naming import object_prefix
from streams.domain.values import Box, Facts, FrameRef

CROP_MIN_SIZE: Final = 224
"""Least side of a crop, pixels: the input of the classifiers."""

CROP_MULTIPLIER: Final = 1.2
"""How much larger than the object a crop is: room for a plate at its edge, and for a bird (1.1)."""


def crop_name(event: Event) -> str:
    return f"{object_prefix(event.object_id)}/crop-{event.frame_time}.jpg"


def crop_region(box: Box | None, frame: FrameRef) -> Box:
    """What a crop shows: the object with a margin, inside the frame, or the whole frame where no box is told."""
    if box is None:
        return Box(0, 0, frame.width, frame.height)
    region = calculate_region(frame.height, frame.width, box, min_size=CROP_MIN_SIZE, multiplier=CROP_MULTIPLIER)
    return clip(region, frame.width, frame.height) or region


def crop(event: Event, frame: FrameRef, picture: FrameRef, *, attempt: int, mask: str) -> Crop:
    """The message about the crop `picture` that was cut out of the event's frame, after `attempt` earlier ones."""
    frame_box = crop_region(event.box, frame)
    return Crop(
        object_id=event.object_id,
        camera=event.camera,
        label=event.label,
        frame_time=event.frame_time,
        picture=picture,
        box=_moved(event.box, frame_box),
        frame_box=frame_box,
        frame_width=frame.width,
        frame_height=frame.height,
        mask=mask,
        attributes=event.current_attributes,
        attempt=attempt,
    )


def last_crop(object_id: str, facts: Facts, *, attempt: int) -> Crop:
    """The message without picture that ends an object's crops, after `attempt` of them."""
    return Crop(
        object_id=object_id,
        camera=facts.camera,
        label=facts.label,
        frame_time=facts.frame_time,
        frame_width=facts.frame_width,
        frame_height=facts.frame_height,
        attempt=attempt,
        ended=True,
    )


def _moved(box: Box | None, origin: Box) -> Box | None:
    """The same box, seen from the upper left corner of `origin`."""
    if box is None:
        return None
    return Box(box.x1 - origin.x1, box.y1 - origin.y1, box.x2 - origin.x1, box.y2 - origin.y1)
