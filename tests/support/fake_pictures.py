"""The in-memory twin of the port `Pictures`."""

from __future__ import annotations

from collections import Counter

import cv2
import numpy as np

from streams.domain.errors import Gone, Poison
from streams.domain.geometry import clip, scaled_size
from streams.domain.values import Box, FrameRef, Instant
from streams.ports import Image

_STORE = "memory:///"


class FakePictures:
    """Pictures by name, without files and encodings. `put` is the camera system's part."""

    def __init__(self, *, public_base: str | None = None) -> None:
        self.pictures: dict[str, Image] = {}
        """What lies in the store, by name."""
        self.failures: dict[str, Exception] = {}
        """What reading a name raises (`Gone`, `Poison`, `Outage`), until it is taken out."""
        self.loads: Counter[str] = Counter()
        self.cuts: Counter[str] = Counter()
        """How often each name was loaded, and made by a cut."""
        self._public_base = public_base

    def put(self, name: str, picture: Image, *, time: Instant = 0) -> FrameRef:
        """Store a picture (BGR) and give its reference."""
        self.pictures[name] = picture
        return _ref(name, picture, time)

    async def load(self, ref: FrameRef) -> Image:
        name = self._found(ref)
        self.loads[name] += 1
        shared = self.pictures[name].view()
        shared.flags.writeable = False
        return shared

    async def cut(self, frame: FrameRef, region: Box, *, name: str, height: int | None = None) -> FrameRef:
        picture = self.pictures[self._found(frame)]
        real = picture.shape[1], picture.shape[0]
        if frame.width > 0 and frame.height > 0 and (frame.width, frame.height) != real:
            raise Poison("bad picture", f"{frame.uri}: {real} pixels, declared {frame.width} x {frame.height}")
        inside = clip(region, *real)
        if inside is None:
            raise Poison("bad box", f"{region} lies outside {frame.uri}")
        crop = picture[inside.y1 : inside.y2, inside.x1 : inside.x2]
        size = scaled_size(inside.width, inside.height, to_height=height or inside.height)
        self.cuts[name] += 1
        return self.put(name, np.asarray(cv2.resize(crop, size), dtype=np.uint8), time=frame.time)

    async def remove(self, prefix: str) -> int:
        names = [name for name in self.pictures if name == prefix or name.startswith(f"{prefix}/")]
        for name in names:
            del self.pictures[name]
        return len(names)

    def public_url(self, ref: FrameRef) -> str | None:
        return f"{self._public_base}/{ref.uri.removeprefix(_STORE)}" if self._public_base else None

    def _found(self, ref: FrameRef) -> str:
        if not ref.uri.startswith(_STORE):
            raise Poison("outside the stores", ref.uri)
        name = ref.uri.removeprefix(_STORE)
        if (failure := self.failures.get(name)) is not None:
            raise failure
        if name not in self.pictures:
            raise Gone(ref.uri)
        return name


def _ref(name: str, picture: Image, time: Instant) -> FrameRef:
    return FrameRef(uri=_STORE + name, width=picture.shape[1], height=picture.shape[0], time=time)
