"""Publishes the recordings of a clip as its playback reaches them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from streams.domain.messages import Recordings
from streams.domain.values import SECOND, Instant, Segment
from streams.sources.clips import Cut
from streams.sources.outlets import Outlet, PictureStore


class Recorder:
    """The recordings of one clip on one camera: a part is published once the playback has passed its end."""

    def __init__(
        self, camera: str, cuts: Iterator[Cut], *, started: Instant, store: PictureStore, outlet: Outlet
    ) -> None:
        """`started` is when the clip began to play."""
        self._camera, self._cuts, self._started = camera, cuts, started
        self._store, self._outlet = store, outlet
        self._next: Cut | None = None

    async def advance(self, now: Instant) -> None:
        """Publish what has been recorded up to `now`."""
        while (cut := await self._pending()) and self._instant(cut.end) <= now:
            await self._publish(cut, now)

    async def finish(self, now: Instant) -> None:
        """Publish the rest: the clip was played to its end."""
        while cut := await self._pending():
            await self._publish(cut, now)

    async def _pending(self) -> Cut | None:
        if self._next is None:
            self._next = await asyncio.to_thread(next, self._cuts, None)
        return self._next

    async def _publish(self, cut: Cut, now: Instant) -> None:
        self._next = None
        segment = await self._keep(cut)
        await self._outlet.publish(
            Recordings(camera=self._camera, at=now, available_through=segment.end, segments=(segment,))
        )

    async def _keep(self, cut: Cut) -> Segment:
        start = self._instant(cut.start)
        uri = await self._store.write(f"recordings/{self._camera}/{start}.mp4", cut.data)
        return Segment(uri=uri, start=start, end=self._instant(cut.end), has_audio=cut.has_audio)

    def _instant(self, seconds: float) -> Instant:
        return self._started + round(seconds * SECOND)
