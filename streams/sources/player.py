"""Plays one camera's clips through its feed, at the pace of the video or faster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from streams.domain.cameras import Camera
from streams.domain.values import SECOND, Instant
from streams.ports import Image
from streams.sources.album import Album
from streams.sources.clips import Clip, sample
from streams.sources.feed import Eye, Feed, Tally
from streams.sources.outlets import Outlet, PictureStore
from streams.sources.recorder import Recorder


class Pace:
    """Holds a playback back to `speed` times real time; 0: not at all."""

    def __init__(self, *, speed: float, stop: asyncio.Event) -> None:
        self._speed, self._stop = speed, stop
        self._began: float | None = None

    async def reach(self, seconds: float) -> bool:
        """Wait until the playback may be `seconds` past its beginning; False: somebody wants it to stop."""
        now = asyncio.get_running_loop().time()
        self._began = now if self._began is None else self._began
        if self._speed:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), timeout=self._began + seconds / self._speed - now)
        return not self._stop.is_set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """Plays clips as one camera."""

    camera: Camera
    """Its settings; the frames' own size counts, not the one that stands there."""
    eye: Eye
    store: PictureStore
    outlet: Outlet
    pace: Pace
    started: Instant
    """The time of the first frame."""
    progress: Callable[[str, Tally], None]
    """Hears of every frame, with the camera's name."""
    tally: Tally = field(default_factory=Tally)

    async def play(self, clips: Iterable[Clip]) -> Tally:
        """Play the clips one after another; open objects end with their clip, or when it is time to stop.

        Raises `Poison` (`bad video`) when a clip cannot be read, `Outage` when store or broker do not answer.
        """
        begun = self.started
        for clip in clips:
            ended = await self._play(clip, begun)
            if ended is None:
                break
            begun = ended
        return self.tally

    async def _play(self, clip: Clip, begun: Instant) -> Instant | None:
        """Play one clip from `begun` on; returns when it ended, None when it was stopped."""
        frames = sample(clip.frames(), self.camera.detect.fps)
        self.tally.expected += round((clip.seconds or 0) * self.camera.detect.fps)
        recorder = Recorder(self.camera.name, clip.recordings(), started=begun, store=self.store, outlet=self.outlet)
        feed: Feed | None = None
        now, goes_on = begun, True
        while goes_on and (frame := await asyncio.to_thread(next, frames, None)):
            seconds, picture = frame
            now = begun + round(seconds * SECOND)
            feed = feed or self._feed(picture, begun)
            if goes_on := await self.pace.reach((now - self.started) / SECOND):
                await feed.show(picture, now)
                await recorder.advance(now)
                self.progress(self.camera.name, self.tally)
        end = now + round(SECOND / self.camera.detect.fps)
        if feed:
            await feed.close(end)
        if not goes_on:
            return None
        await recorder.finish(end)
        return end

    def _feed(self, picture: Image, begun: Instant) -> Feed:
        height, width = picture.shape[:2]
        return Feed(
            replace(self.camera, detect=replace(self.camera.detect, width=width, height=height)),
            started=begun,
            eye=self.eye,
            album=Album(self.camera.name, self.store),
            outlet=self.outlet,
            tally=self.tally,
        )
