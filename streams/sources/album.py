"""Keeps the pictures of one camera in the store: frames, and of every object its snapshot and thumbnail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from streams.domain.lifecycle import Lives
from streams.domain.messages import Event
from streams.domain.values import Box, FrameRef, Instant
from streams.ports import Image
from streams.sources.outlets import PictureStore
from streams.sources.stills import Still, frame_still, snapshot_still, thumbnail_still


class Album:
    """The pictures of one camera. Holds the best frame of every open object until its end."""

    def __init__(self, camera: str, store: PictureStore) -> None:
        self._camera, self._store = camera, store
        self._best: dict[str, Image] = {}

    async def keep_frame(self, picture: Image, time: Instant) -> FrameRef:
        """Write a frame (BGR) to the store."""
        return await self._keep(f"frames/{self._camera}/{time}.jpg", lambda: frame_still(picture), time)

    def remember(self, lives: Lives, picture: Image, time: Instant) -> None:
        """Hold on to the picture of `time` for the objects that it shows best."""
        for name, life in lives.items():
            if life.best and life.best.frame_time == time:
                self._best[name] = picture

    async def finish(self, event: Event) -> Event:
        """An object's end with the pictures that are kept of it, which are written before anybody hears of them."""
        picture = self._best.pop(event.object_id, None)
        if picture is None or event.best is None:
            return event
        box, time = event.best.box, event.best.frame_time
        if event.has_snapshot:
            event = replace(event, snapshot=await self._keep_snapshot(event.object_id, picture, time))
        if event.has_snapshot or event.has_clip:
            event = replace(event, thumbnail=await self._keep_thumbnail(event.object_id, picture, box, time))
        return event

    async def _keep_snapshot(self, object_id: str, picture: Image, time: Instant) -> FrameRef:
        return await self._keep(f"snapshots/{self._camera}/{object_id}.jpg", lambda: snapshot_still(picture), time)

    async def _keep_thumbnail(self, object_id: str, picture: Image, box: Box, time: Instant) -> FrameRef:
        return await self._keep(f"thumbs/{self._camera}/{object_id}.webp", lambda: thumbnail_still(picture, box), time)

    async def _keep(self, name: str, encode: Callable[[], Still], time: Instant) -> FrameRef:
        still = await asyncio.to_thread(encode)
        uri = await self._store.write(name, still.data)
        return FrameRef(uri=uri, width=still.width, height=still.height, format=still.format, time=time)
