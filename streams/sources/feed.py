"""One camera's frames on their way to the topics: motion, detector, tracker, lives, pictures, messages."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from streams.domain.cameras import Camera
from streams.domain.lifecycle import Lives, Look, close, object_id, observe
from streams.domain.messages import Detections, Event
from streams.domain.tracking import patience
from streams.domain.values import Box, Instant, Phase
from streams.ports import Image
from streams.sources.album import Album
from streams.sources.found import Found
from streams.sources.motion import MotionDetector
from streams.sources.outlets import Outlet
from streams.sources.tracker import Tracker

ENDS_KEPT: Final = 1000
"""Ends that a tally remembers: a looped video makes new ones for ever."""


class Eye(Protocol):
    """Finds people and things in a picture (`Detector`)."""

    def regions(self, width: int, height: int) -> tuple[Box, ...]:
        """The parts of a frame of that size that are looked at."""
        ...

    async def detect(self, picture: Image) -> Sequence[Found]: ...


@dataclass(slots=True)
class Tally:
    """What a camera has seen so far."""

    frames: int = 0
    expected: int = 0
    """Frames that the clips which have begun will have in all, as far as they say."""
    objects: int = 0
    true_positives: Counter[str] = field(default_factory=Counter)
    """How many objects of each label have ended as true positives."""
    ended: list[Event] = field(default_factory=list)
    """The ends of the newest `ENDS_KEPT` objects, false positives included."""

    def end(self, event: Event) -> None:
        """Count an object that has ended."""
        if not event.false_positive:
            self.true_positives[event.label] += 1
        self.ended = [*self.ended, event][-ENDS_KEPT:]


class Feed:
    """Turns the frames of one camera into upstream's messages, in the order of their times."""

    def __init__(
        self, camera: Camera, *, started: Instant, eye: Eye, album: Album, outlet: Outlet, tally: Tally
    ) -> None:
        """`camera.detect` has the size of the frames; `started` is when the clip began to play."""
        self._camera, self._eye, self._album, self._outlet = camera, eye, album, outlet
        self._regions = eye.regions(camera.detect.width, camera.detect.height)
        self._motion = MotionDetector()
        self._tracker = Tracker(
            patience=patience(camera.detect), name=lambda time, number: object_id(camera.name, started, time, number)
        )
        self._lives: Lives = {}
        self._tally = tally

    async def show(self, picture: Image, time: Instant) -> None:
        """Take in one frame (BGR). Its picture is kept, then its events and its detections are published."""
        movement = await asyncio.to_thread(self._motion.look, picture)
        left = self._tracker.restart() if movement.cut else ()
        tracks = self._tracker.update(await self._eye.detect(picture), time)
        shows_something = tracks.seen or movement.boxes
        look = Look(
            time=time,
            frame=await self._album.keep_frame(picture, time) if shows_something else None,
            seen=tracks.seen,
            gone=(*left, *tracks.gone),
        )
        self._lives, events = observe(self._lives, look, self._camera)
        self._album.remember(self._lives, picture, time)
        await self._publish(events)
        await self._outlet.publish(self._detections(look, movement.boxes))
        self._tally.frames += 1

    async def close(self, time: Instant) -> None:
        """End every object that is still there: the video is over."""
        self._tracker.restart()
        ends, self._lives = close(self._lives, time, self._camera), {}
        await self._publish(ends)

    async def _publish(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.phase is Phase.END:
                finished = await self._album.finish(event)
                await self._outlet.publish(finished)
                self._tally.end(finished)
            else:
                await self._outlet.publish(event)
                self._tally.objects += event.phase is Phase.START

    def _detections(self, look: Look, motion_boxes: tuple[Box, ...]) -> Detections:
        return Detections(
            camera=self._camera.name,
            frame=look.frame,
            frame_time=look.time,
            objects=look.seen,
            motion_boxes=motion_boxes,
            regions=self._regions,
        )
