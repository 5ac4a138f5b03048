"""A long life under fire: a script of events, what an undisturbed run makes of it, and what a disturbed one left."""

from __future__ import annotations

import hashlib
import random
import struct
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from qdrant_client import QdrantClient

from streams.adapters.catalogue import Catalogue
from streams.adapters.codec import Codec
from streams.adapters.pictures import StoredPictures
from streams.adapters.store import Store
from streams.domain.messages import Document, Event, Message, ObjectRecord, TrackedObjectUpdate
from streams.domain.retention import Retention
from streams.domain.values import SECOND, Box, FrameRef, Instant, Phase
from streams.operations.reading import Record, whole
from streams.pipeline import pipeline
from streams.runtime.loopback import Loopback
from streams.settings import Settings
from tests.support.fake_cameras import FakeCameras
from tests.support.fake_embedder import FakeEmbedder
from tests.support.fake_index import FakeIndex

MODEL: Final = "fake"
FRAMES: Final = 12
WIDTH, HEIGHT = 320, 240
BROKEN: Final = "broken.jpg"
AT_A_TIME: Final = 60
"""Objects in view at the same time."""

Encode = Callable[[Event], Awaitable[bytes]]

Letter = tuple[str, str, bytes]
"""Who buried it, why, and the digest of what was buried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One record of the topic `events`; without `event` it is bytes that nobody can read."""

    key: bytes
    value: bytes
    time: Instant
    event: Event | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that a run leaves behind; where the store lies does not count."""

    objects: dict[str, str]
    documents: dict[str, str]
    """As text, the place of the store cut out."""
    updates: frozenset[TrackedObjectUpdate]
    points: dict[str, int]
    """Object id to version."""
    pictures: frozenset[str]
    letters: frozenset[Letter]

    def differences(self, other: Outcome) -> list[str]:
        """What differs, part by part, each with an example."""
        return [
            line
            for part in fields(self)
            for line in _compare(part.name, getattr(self, part.name), getattr(other, part.name))
        ]

    def counts(self) -> dict[str, int]:
        return {part.name: len(getattr(self, part.name)) for part in fields(self)}


def _compare(name: str, one: object, two: object) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(two, dict):
        for key in sorted(one.keys() & two.keys()):
            if one[key] != two[key]:
                yield f"{name}: {key} differs:\n  {one[key]}\n  {two[key]}"
                break
    left, right = frozenset(one), frozenset(two)  # type: ignore[call-overload]
    for word, rest in (("only in the first", left - right), ("only in the second", right - left)):
        if rest:
            yield f"{name}: {len(rest)} {word}, such as {next(iter(rest))}"


# ---- the script


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """So many interleaved objects, each with so many updates, and a share of poison of every kind among them."""

    seed: int
    objects: int
    updates: int
    poison: float
    frames: Path
    begin: Instant

    async def records(self, codec: Codec, topic: str) -> list[Sent]:
        """In the order in which they are sent; those of one object in the order of its life."""

        async def encode(event: Event) -> bytes:
            return await codec.encode(topic, event) or b""

        chance = random.Random(self.seed)
        paint(self.frames)
        lives = [self._life(number, chance) for number in range(self.objects)]
        sent = []
        for number, event in enumerate(_interleaved(lives, chance)):
            time = self.begin + number * 10_000
            sent.append(Sent(key=event.key.encode(), value=await encode(event), time=time, event=event))
            if chance.random() < self.poison:
                sent.append(await self._poison(sent[-1], event, chance, encode))
        return sent

    def _life(self, number: int, chance: random.Random) -> list[Event]:
        false_positive = chance.random() < 0.1
        first = Event(
            object_id=f"1764000000.{number:06d}-abc{number:03d}",
            camera=f"camera-{number % 3}",
            phase=Phase.START,
            label=chance.choice(["person", "car", "dog"]),
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
        return [first, *([] if false_positive else updates), last]

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
        head, body = beside.value[:5], beside.value[5:]
        kind = chance.randrange(5)
        if kind == 4 and event.phase is Phase.UPDATE:
            broken = FrameRef(
                uri=(self.frames / BROKEN).as_uri(), width=WIDTH, height=HEIGHT, time=event.frame_time + 1
            )
            event = replace(event, frame=broken, frame_time=broken.time, stationary=False)
            return Sent(key=beside.key, value=await encode(event), time=beside.time + 1000, event=event)
        value, reason = (
            (b"\x01" + head[1:] + body, "undecodable"),
            (beside.value[: len(beside.value) // 3], "undecodable"),
            (head[:1] + struct.pack(">I", 9_999_999) + body, "unknown schema id"),
            (b"", "undecodable"),
        )[kind % 4]
        return Sent(key=beside.key, value=value, time=beside.time + 1000, event=None, reason=reason)


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


# ---- what an undisturbed run makes of it


async def undisturbed(settings: Settings, sent: list[Sent]) -> Outcome:
    """The same agents on the loopback, with a store of their own."""
    store, index = Store(settings.store), FakeIndex()
    with ThreadPoolExecutor(2) as threads:
        agents = pipeline(
            pictures=StoredPictures(store, threads, max_pixels=settings.store.max_pixels),
            cameras=FakeCameras(),
            embedder=FakeEmbedder(),
            index=index,
            model=MODEL,
            collection=settings.index.collection,
            retention=retention_of(settings),
        )
        loop = Loopback(agents)
        for record in sent:
            if record.event:
                await loop.send(record.event, at=record.time)
    root = store.location
    documents = {m.key: m for m in loop.published if isinstance(m, Document)}
    buried = {("track", record.reason, _digest(record.value)) for record in sent if not record.event}
    for letter in loop.dead_letters:
        value = next(record.value for record in sent if record.event == letter.message)
        buried.add((letter.agent, letter.reason, _digest(value)))
    return Outcome(
        objects=_placeless({m.key: m for m in loop.published if isinstance(m, ObjectRecord)}, root),
        documents=_placeless(documents, root),
        updates=frozenset(m for m in loop.published if isinstance(m, TrackedObjectUpdate)),
        points={key: document.record.revision for key, document in documents.items()},
        pictures=frozenset(await store.names("objects")),
        letters=frozenset(buried),
    )


def retention_of(settings: Settings) -> Retention:
    kept = settings.retention
    return Retention.of(objects=kept.objects, open_objects=kept.open_objects, ended=kept.ended)


# ---- what a disturbed run left


async def left_behind(settings: Settings, codec: Codec) -> Outcome:
    catalogue, store = Catalogue(settings.kafka.prefix), Store(settings.store)

    async def messages(kind: type[Message], model: str | None = None) -> list[Message]:
        topic = catalogue.topic_name(kind, model)
        return [await codec.decode(topic, r.key, r.value, at=r.time) for r in whole(settings.kafka, topic)]

    letters = {
        (_header(r, "dlt.agent"), _header(r, "dlt.reason"), _digest(r.value or b""))
        for r in whole(settings.kafka, catalogue.dead_letters)
    }
    objects = {m.key: m for m in await messages(ObjectRecord)}
    documents = {m.key: m for m in await messages(Document, MODEL)}
    return Outcome(
        objects=_placeless(objects, store.location),
        documents=_placeless(documents, store.location),
        updates=frozenset(await messages(TrackedObjectUpdate)),  # type: ignore[arg-type]
        points=_points(settings),
        pictures=frozenset(await store.names("objects")),
        letters=frozenset(letters),
    )


def _points(settings: Settings) -> dict[str, int]:
    client = QdrantClient(url=settings.index.url, check_compatibility=False)
    found, start = dict[str, int](), None
    with closing(client):
        while True:
            points, start = client.scroll(settings.index.collection, limit=500, offset=start, with_payload=True)
            found |= {str(p.payload["object_id"]): int(p.payload["version"]) for p in points if p.payload}
            if start is None:
                return found


def _header(record: Record, name: str) -> str:
    return (dict(record.headers)[name] or b"").decode()


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()


def _placeless(messages: Mapping[str, Message], root: str) -> dict[str, str]:
    """As text, since messages hold dictionaries; with the place of the store cut out."""
    return {key: repr(message).replace(root, "<store>") for key, message in messages.items()}
