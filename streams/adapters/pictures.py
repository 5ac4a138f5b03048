"""Pictures in the store, decoded and cut by OpenCV: the adapter of the port `Pictures`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

import cv2
import numpy as np
from cachetools import TTLCache

from streams.adapters.decode import Pixels, Source, check_declared, decode
from streams.adapters.once import Once
from streams.adapters.store import Store
from streams.domain.errors import Poison
from streams.domain.geometry import clip, scaled_size
from streams.domain.values import Box, FrameRef, PixelFormat
from streams.ports import Image

T = TypeVar("T")

JPEG_QUALITY = 100
"""Frigate's enrichment thumbnails; recognisers read them again, so nothing is saved here."""

SHARED_SECONDS = 10.0
"""How long a decoded picture is kept for the agents that ask for it at about the same time."""

SHARED_BYTES = 128 * 1024 * 1024
"""How much memory decoded pictures may occupy: some twenty frames of 1080p."""

AT_ONCE = 16
"""Pictures read or decoded at a time; bounds memory when hundreds of messages are in flight."""

_LARGEST_SIDE = 65_500
"""Pixels: the largest side that libjpeg encodes."""


class StoredPictures:
    """Reads and cuts the pictures of a store; the work runs in `executor`, whose size is the bound.

    A picture is read and decoded once for everyone who asks within `SHARED_SECONDS`, and handed out read-only.
    """

    def __init__(self, store: Store, executor: Executor, *, max_pixels: int) -> None:
        self._store, self._executor, self._max_pixels = store, executor, max_pixels
        shared: TTLCache[FrameRef, Source] = TTLCache(SHARED_BYTES, SHARED_SECONDS, getsizeof=_size)
        self._sources: Once[FrameRef, Source] = Once(self._read, shared)
        self._free = asyncio.Semaphore(AT_ONCE)

    async def load(self, ref: FrameRef) -> Image:
        """The decoded picture, BGR, read-only."""
        source = await self._sources.get(ref)
        if isinstance(source, Pixels):
            return source.image
        image = await self._work(lambda: source.cut(Box(0, 0, source.width, source.height)))
        image.flags.writeable = False
        return image

    async def cut(self, frame: FrameRef, region: Box, *, name: str, height: int | None = None) -> FrameRef:
        """Cut `region` out of `frame` and keep it as `name`. Raises `Poison` (`bad box`) too: none of it in the frame.

        A frame that is not as large as it says is a `bad picture`: its boxes would show something else.
        """
        source = await self._sources.get(frame)
        _check_as_declared(frame, source)
        inside = clip(region, source.width, source.height)
        if inside is None:
            raise Poison("bad box", f"{region} lies outside {frame.uri} of {source.width} x {source.height} pixels")
        width, height = scaled_size(inside.width, inside.height, to_height=height or inside.height)
        if width * height > self._max_pixels or max(width, height) > _LARGEST_SIDE:
            raise Poison("bad box", f"{region} of {frame.uri} would become {width} x {height} pixels")
        data = await self._work(lambda: _jpeg(source.cut(inside), width, height))
        uri = await self._store.write(name, data)
        return FrameRef(uri=uri, width=width, height=height, format=PixelFormat.JPEG, time=frame.time)

    async def remove(self, prefix: str) -> int:
        """Remove the picture named `prefix`, or all below that folder."""
        count = await self._store.delete_prefix(prefix)
        uri = self._store.uri(prefix)
        self._sources.forget(lambda ref: ref.uri == uri or ref.uri.startswith(f"{uri}/"))
        return count

    def public_url(self, ref: FrameRef) -> str | None:
        return self._store.url(ref.uri)

    async def _read(self, ref: FrameRef) -> Source:
        check_declared(ref, max_pixels=self._max_pixels)
        async with self._free:
            data = await self._store.read(ref.uri)
            return await self._work(lambda: decode(ref, data, max_pixels=self._max_pixels))

    async def _work(self, task: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, task)


def _size(source: Source) -> int:
    return source.nbytes


def _check_as_declared(frame: FrameRef, source: Source) -> None:
    declared, real = (frame.width, frame.height), (source.width, source.height)
    if frame.width > 0 and frame.height > 0 and declared != real:
        raise Poison(
            "bad picture", f"{frame.uri}: {real[0]} x {real[1]} pixels, declared {declared[0]} x {declared[1]}"
        )


def _jpeg(image: Image, width: int, height: int) -> bytes:
    if (image.shape[1], image.shape[0]) != (width, height):
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return encoded.tobytes()
