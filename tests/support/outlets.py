"""In-memory twins of what a source of frames needs: a store, an outlet, an eye, and clips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from streams.domain.errors import Outage
from streams.domain.messages import Message
from streams.domain.values import Box
from streams.ports import Image
from streams.sources.clips import Clip, Cut, TimedFrame
from streams.sources.found import Found


@dataclass
class MemoryStore:
    """Keeps what is written, by name."""

    files: dict[str, bytes] = field(default_factory=dict)

    async def write(self, name: str, data: bytes) -> str:
        self.files[name] = data
        return f"memory:///{name}"


@dataclass
class ListOutlet:
    """Keeps what is published, in order, and what lay in the store at that moment."""

    store: MemoryStore = field(default_factory=MemoryStore)
    messages: list[Message] = field(default_factory=list)
    stored: list[frozenset[str]] = field(default_factory=list)
    fails_after: int | None = None

    async def publish(self, message: Message) -> None:
        if self.fails_after is not None and len(self.messages) >= self.fails_after:
            raise Outage("kafka", "no broker answers")
        self.messages.append(message)
        self.stored.append(frozenset(self.store.files))


@dataclass
class SquareEye:
    """Finds every white square of a picture as a person, and remembers how many pictures it saw."""

    score: float = 0.8
    pictures: int = 0

    def regions(self, width: int, height: int) -> tuple[Box, ...]:
        return (Box(0, 0, width, height),)

    async def detect(self, picture: Image) -> Sequence[Found]:
        self.pictures += 1
        rows, columns = np.nonzero(picture.min(axis=2) == 255)
        if not rows.size:
            return ()
        box = Box(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
        return (Found(label="person", score=self.score, box=box, region=Box(0, 0, *picture.shape[1::-1])),)


@dataclass(frozen=True, kw_only=True)
class MemoryCut:
    """A part of a recording."""

    start: float
    end: float
    data: bytes = b"mp4"
    has_audio: bool = False


def square_at(x: int | None, *, width: int = 320, height: int = 240) -> Image:
    """A grey picture with a white square of 40 pixels at `x`, or none."""
    picture = np.full((height, width, 3), 90, np.uint8)
    if x is not None:
        picture[100:140, x : x + 40] = 255
    return picture


def clip(places: Sequence[int | None], *, fps: float = 5.0, cuts: Sequence[Cut] = (), name: str = "yard") -> Clip:
    """A clip in which a square goes from place to place."""

    def frames() -> Iterator[TimedFrame]:
        return ((number / fps, square_at(place)) for number, place in enumerate(places))

    return Clip(name=name, frames=frames, recordings=lambda: iter(cuts), seconds=len(places) / fps)
