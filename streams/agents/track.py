"""Follows each object from its first event to its end: cuts its pictures, and says when something that matters changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from streams.domain.agent import Agent, Step
from streams.domain.cameras import Camera
from streams.domain.crops import crop, crop_name, crop_region
from streams.domain.errors import Gone
from streams.domain.messages import Crop, Event, Message, Sighting
from streams.domain.plausibility import check_box, check_event, is_empty
from streams.domain.retention import Retention
from streams.domain.sightings import (
    Ended,
    Tracking,
    heard,
    is_old,
    is_significant,
    last_words,
    news,
    outcome_of,
    pictured,
    sighting,
)
from streams.domain.thumbnails import THUMBNAIL_HEIGHT, frame_of, thumbnail_name, thumbnail_region
from streams.domain.values import Box, FrameRef, Instant, Outcome, Phase
from streams.ports import Cameras, Pictures

State = Tracking | Ended


def track(
    *,
    pictures: Pictures,
    cameras: Cameras,
    wants_thumbnails: Callable[[Camera], bool],
    wants_crop: Callable[[Camera, Event], bool],
    retention: Retention,
) -> Agent[State]:
    """Events become sightings and crops.

    An event that cannot be true, or whose picture cannot be read, is a dead letter; the next one carries all facts
    again.
    """
    scissors = _Scissors(pictures=pictures, wants_thumbnails=wants_thumbnails, wants_crop=wants_crop)
    tracker = _Tracker(cameras=cameras, scissors=scissors, retention=retention)
    return Agent(
        name="track",
        consumes=(Event,),
        produces=(Sighting, Crop),
        state=(Tracking, Ended),
        handle=tracker.handle,
        expire=tracker.expire,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tracker:
    cameras: Cameras
    scissors: _Scissors
    retention: Retention

    async def handle(self, state: State | None, message: Message, at: Instant) -> Step[State]:
        if isinstance(state, Ended) or not isinstance(message, Event):
            return Step(state)
        check_event(message, at)
        camera = self.cameras.get(message.camera)
        if camera is None and state is None:
            return Step(None)
        known = heard(state, message, deadline=at + self.retention.open_objects)
        if message.phase is Phase.END:
            return self._end(known, outcome_of(known), at)
        if camera is None:
            return self._end(known, Outcome.ABANDONED, at)
        if is_old(state, message):
            return Step(state)
        return await self._follow(camera, message, state, known)

    def expire(self, state: State, now: Instant) -> Step[State]:
        return self._end(state, Outcome.ABANDONED, now) if isinstance(state, Tracking) else Step(None)

    async def _follow(self, camera: Camera, event: Event, before: Tracking | None, known: Tracking) -> Step[State]:
        crops: tuple[Crop, ...] = ()
        if is_significant(before, event):
            known, crops = await self.scissors.cut(camera, event, known)
        reason = news(before, known)
        return Step(known, (*crops, sighting(known, reason)) if reason else crops)

    def _end(self, known: Tracking, outcome: Outcome, at: Instant) -> Step[State]:
        return Step(Ended(outcome=outcome, deadline=at + self.retention.ended), last_words(known, outcome))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scissors:
    """Cuts what is wanted of an event's frame; a frame that is not there, or no longer, is no fault."""

    pictures: Pictures
    wants_thumbnails: Callable[[Camera], bool]
    wants_crop: Callable[[Camera, Event], bool]

    async def cut(self, camera: Camera, event: Event, known: Tracking) -> tuple[Tracking, tuple[Crop, ...]]:
        if (frame := frame_of(event)) is None or is_empty(event.box):
            return known, ()
        check_box(event.box, frame)
        if self.wants_thumbnails(camera):
            known = await self._thumbnail(event, frame, known)
        if self.wants_crop(camera, event):
            return await self._crop(camera, event, frame, known)
        return known, ()

    async def _thumbnail(self, event: Event, frame: FrameRef, known: Tracking) -> Tracking:
        region = thumbnail_region(event.box, frame)
        picture = await self._picture(frame, region, name=thumbnail_name(event), height=THUMBNAIL_HEIGHT)
        return pictured(known, event, picture) if picture else known

    async def _crop(
        self, camera: Camera, event: Event, frame: FrameRef, known: Tracking
    ) -> tuple[Tracking, tuple[Crop, ...]]:
        picture = await self._picture(frame, crop_region(event.box, frame), name=crop_name(event))
        if picture is None:
            return known, ()
        told = crop(event, frame, picture, attempt=known.crops, mask=camera.motion_mask)
        return replace(known, crops=known.crops + 1), (told,)

    async def _picture(self, frame: FrameRef, region: Box, *, name: str, height: int | None = None) -> FrameRef | None:
        try:
            return await self.pictures.cut(frame, region, name=name, height=height)
        except Gone:
            return None
