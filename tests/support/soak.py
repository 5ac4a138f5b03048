"""A script of events for a long life under fire: many objects at a time, poison of every kind, deadlines that fire."""

from __future__ import annotations

import random
import struct
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from streams.adapters.codec import Codec
from streams.domain.messages import Event
from streams.domain.values import SECOND, Box, FrameRef, Instant, Phase

MODEL: Final = "fake"
FRAMES: Final = 12
WIDTH, HEIGHT = 320, 240
BROKEN: Final = "broken.jpg"
LOST: Final = "cat"
"""What never ends carries this label, and what ends and is deleted soon the other."""
OLD: Final = (LOST, "bird")
AT_A_TIME: Final = 60
"""Objects in view at the same time."""

Encode = Callable[[Event], Awaitable[bytes]]

KEPT: Final[Instant] = 2 * 3600 * SECOND
RETENTION: Final = {"objects": "2h", "open_objects": "2h"}
"""`KEPT` as settings say it. Records of a few minutes ago are far from their deadline; older ones are as near as wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One record of the topic `events`; without `event` it is bytes that nobody can read."""

    key: bytes
    value: bytes
    time: Instant
    event: Event | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """So many interleaved objects, each with so many updates, and a share of poison of every kind among them."""

    seed: int
    objects: int
    updates: int
    poison: float
    frames: Path
    begin: Instant
    """Time of the first record, long after `KEPT` ago."""
    due: Instant | None = None
    """When deadlines of some early objects begin to fire: after all is sent, whole milliseconds. Half of them never end."""

    async def records(self, codec: Codec, topic: str) -> list[Sent]:
        """In the order in which they are sent; those of one object in the order of its life."""

        async def encode(event: Event) -> bytes:
            return await codec.encode(topic, event) or b""

        chance = random.Random(self.seed)
        paint(self.frames)
        lives = [self._life(number, chance) for number in range(self.objects)]
        sent = []
        for number, event in enumerate(_interleaved(lives, chance)):
            time = self._time(number, event)
            sent.append(Sent(key=event.key.encode(), value=await encode(event), time=time, event=event))
            if chance.random() < self.poison:
                sent.append(await self._poison(sent[-1], event, chance, encode))
        return sent

    def _time(self, number: int, event: Event) -> Instant:
        """Of an old object so that it is due when all is sent; Kafka keeps milliseconds."""
        if event.label in OLD and self.due is not None:
            return self.due - KEPT + number * 1000
        return self.begin + number * 10_000

    def _label(self, number: int, chance: random.Random) -> str:
        """Early objects alone can be old, so that they have ended when they are due."""
        if self.due is not None and number < self.objects / 3 and chance.random() < 0.6:
            return chance.choice(OLD)
        return chance.choice(["person", "car", "dog"])

    def _life(self, number: int, chance: random.Random) -> list[Event]:
        false_positive = chance.random() < 0.1
        first = Event(
            object_id=f"1764000000.{number:06d}-abc{number:03d}",
            camera=f"camera-{number % 3}",
            phase=Phase.START,
            label=self._label(number, chance),
            frame_time=self.begin + number * SECOND,
            start_time=self.begin + number * SECOND,
            false_positive=True,
            box=Box(40, 60, 120, 200),
        )
        updates = [self._update(first, step, chance) for step in range(1, self.updates + 1)]
        last = replace(updates[-1], frame_time=updates[-1].frame_time + SECOND, phase=Phase.END, frame=None)
        last = replace(last, end_time=last.frame_time, false_positive=false_positive)
        if not false_positive and chance.random() < 0.3:
            last = replace(last, thumbnail=self._frame(number, last.frame_time))
        return [first, *([] if false_positive else updates), *([] if first.label == LOST else [last])]

    def _update(self, first: Event, step: int, chance: random.Random) -> Event:
        time = first.frame_time + step * SECOND
        score = round(chance.uniform(0.5, 0.95), 3)
        x = chance.randrange(0, 200)
        return replace(
            first,
            phase=Phase.UPDATE,
            false_positive=False,
            frame=self._frame(chance.randrange(FRAMES), time),
            frame_time=time,
            score=score,
            top_score=max(score, first.top_score),
            box=Box(x, 40, x + chance.randrange(30, 100), 200),
            stationary=chance.random() < 0.2,
            position_changes=1,
            entered_zones=("porch",) if step > 3 else (),
        )

    def _frame(self, number: int, time: Instant) -> FrameRef:
        uri = (self.frames / f"{number % FRAMES}.jpg").as_uri()
        return FrameRef(uri=uri, width=WIDTH, height=HEIGHT, time=time)

    async def _poison(self, beside: Sent, event: Event, chance: random.Random, encode: Encode) -> Sent:
        """A record of the same key that can never succeed."""
        kind = chance.randrange(9)
        if kind >= 5 and event.phase is Phase.UPDATE:
            event = self._impossible(kind, event)
            return Sent(key=beside.key, value=await encode(event), time=beside.time + 1000, event=event)
        key, value, reason = _unreadable(kind, beside)
        return Sent(key=key, value=value, time=beside.time + 1000, event=None, reason=reason)

    def _impossible(self, kind: int, event: Event) -> Event:
        """An update that can be read, and can never be true or never be cut."""
        time = event.frame_time + 1
        folder = self.frames.parent.parent if kind == 6 else self.frames
        broken = FrameRef(uri=(folder / BROKEN).as_uri(), width=WIDTH, height=HEIGHT, time=time)
        event = replace(event, frame=broken, frame_time=time, stationary=False)
        if kind == 7:
            return replace(event, box=Box(WIDTH + 10, 40, WIDTH + 90, 200))
        return replace(event, frame_time=time + 30 * 24 * 3600 * SECOND) if kind == 8 else event


def _unreadable(kind: int, beside: Sent) -> tuple[bytes, bytes, str]:
    """Key, value and the reason for which it is buried."""
    head, body = beside.value[:5], beside.value[5:]
    return (
        (beside.key, b"\x01" + head[1:] + body, "undecodable"),
        (beside.key, beside.value[: len(beside.value) // 3], "undecodable"),
        (beside.key, head[:1] + struct.pack(">I", 9_999_999) + body, "unknown schema id"),
        (beside.key, b"", "undecodable"),
        (beside.key + b"x", beside.value, "key mismatch"),
    )[kind % 5]


def paint(folder: Path) -> None:
    """The frames that events refer to."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(FRAMES):
        picture = np.full((HEIGHT, WIDTH, 3), (number * 20, 255 - number * 20, 90), np.uint8)
        cv2.rectangle(picture, (10 * number, 40), (10 * number + 60, 200), (255, 255, 255), -1)
        cv2.imwrite(str(folder / f"{number}.jpg"), picture)
    (folder / BROKEN).write_text("this is no picture")


def _interleaved(lives: list[list[Event]], chance: random.Random) -> Iterator[Event]:
    """A few objects at a time, as on a busy site."""
    waiting, open_ = list(reversed(lives)), list[list[Event]]()
    while waiting or open_:
        while waiting and len(open_) < AT_A_TIME:
            open_.append(waiting.pop())
        life = chance.choice(open_)
        yield life.pop(0)
        if not life:
            open_.remove(life)
