"""What a run leaves behind: as an undisturbed one makes it of a script, and as it lies there after a disturbed one."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, fields, replace

from qdrant_client import QdrantClient

from streams.adapters.catalogue import Catalogue
from streams.adapters.codec import Codec
from streams.adapters.pictures import StoredPictures
from streams.adapters.store import Store
from streams.domain import values
from streams.domain.messages import Document, Message, ObjectRecord, Tombstone, TrackedObjectUpdate
from streams.domain.retention import Retention
from streams.domain.values import Instant, Reason
from streams.operations.reading import Record, whole
from streams.pipeline import pipeline
from streams.runtime.loopback import Loopback
from streams.settings import Settings
from tests.support.fake_cameras import FakeCameras
from tests.support.fake_embedder import FakeEmbedder
from tests.support.fake_index import FakeIndex
from tests.support.soak import MODEL, Sent

Letter = tuple[str, str, bytes]
"""Who buried it, why, and the digest of what was buried."""

CLOCKED = 0
"""Stands for a revision that was made by a clock when a deadline fired: no two runs share it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that a run leaves behind; where the store lies and when a deadline fired do not count."""

    objects: dict[str, str]
    documents: dict[str, str]
    """As text, the place of the store cut out."""
    updates: frozenset[TrackedObjectUpdate]
    points: dict[str, int]
    """Object id to version."""
    pictures: frozenset[str]
    letters: frozenset[Letter]
    abandoned: frozenset[str]
    """The objects whose end was never told: their first deadline fired."""
    deleted: frozenset[str]
    """The objects that were kept long enough: their second deadline fired."""
    buried: frozenset[str]
    """The objects that the index remembers as deleted."""

    def differences(self, other: Outcome) -> list[str]:
        """What differs, part by part, each with an example."""
        return [
            line
            for part in fields(self)
            for line in _compare(part.name, getattr(self, part.name), getattr(other, part.name))
        ]

    @property
    def fired(self) -> frozenset[TrackedObjectUpdate]:
        """What is said when a deadline fires."""
        return frozenset(filter(_by_the_clock, self.updates))

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


async def undisturbed(settings: Settings, sent: list[Sent], *, until: Instant = 0) -> Outcome:
    """The same agents on the loopback, with a store of their own; deadlines up to `until` fire in the end."""
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
        await loop.advance(until)
    return outcome(
        loop.published,
        root=store.location,
        points={key: document.record.revision for key, document in index.documents.items()},
        buried=frozenset(index.buried),
        pictures=frozenset(await store.names("objects")),
        letters=_letters(loop, sent),
    )


def _letters(loop: Loopback, sent: list[Sent]) -> frozenset[Letter]:
    buried = {("track", record.reason, _digest(record.value)) for record in sent if not record.event}
    for letter in loop.dead_letters:
        value = next(record.value for record in sent if record.event == letter.message)
        buried.add((letter.agent, letter.reason, _digest(value)))
    return frozenset(buried)


def retention_of(settings: Settings) -> Retention:
    kept = settings.retention
    return Retention.of(objects=kept.objects, open_objects=kept.open_objects, ended=kept.ended)


def fired(settings: Settings, codec: Codec) -> frozenset[TrackedObjectUpdate]:
    """What was said so far because a deadline fired; see `Outcome.fired`."""

    async def said() -> list[Message]:
        topic = Catalogue(settings.kafka.prefix).topic_name(TrackedObjectUpdate)
        return [await codec.decode(topic, r.key, r.value, at=r.time) for r in whole(settings.kafka, topic)]

    updates = [_clockless(message) for message in asyncio.run(said())]
    return frozenset(m for m in updates if isinstance(m, TrackedObjectUpdate) and _by_the_clock(m))


async def left_behind(settings: Settings, codec: Codec) -> Outcome:
    """What lies in the topics, the index and the store."""
    catalogue, store = Catalogue(settings.kafka.prefix), Store(settings.store)

    async def messages(kind: type[Message], model: str | None = None) -> list[Message]:
        topic = catalogue.topic_name(kind, model)
        return [await codec.decode(topic, r.key, r.value, at=r.time) for r in whole(settings.kafka, topic)]

    published = [m for kind in (ObjectRecord, TrackedObjectUpdate) for m in await messages(kind)]
    points, buried = _points(settings)
    return outcome(
        [*published, *await messages(Document, MODEL)],
        root=store.location,
        points=points,
        buried=buried,
        pictures=frozenset(await store.names("objects")),
        letters=frozenset(
            (_header(r, "dlt.agent"), _header(r, "dlt.reason"), _digest(r.value or b""))
            for r in whole(settings.kafka, catalogue.dead_letters)
        ),
    )


def outcome(
    published: Iterable[Message],
    *,
    root: str,
    points: Mapping[str, int],
    buried: frozenset[str],
    pictures: frozenset[str],
    letters: frozenset[Letter],
) -> Outcome:
    """From all that was published, those of one key and topic in their order."""
    published = [_clockless(message) for message in published]
    updates = frozenset(m for m in published if isinstance(m, TrackedObjectUpdate))
    abandoned = frozenset(m.id for m in updates if m.outcome is values.Outcome.ABANDONED)
    return Outcome(
        objects=_newest(published, ObjectRecord, root),
        documents=_newest(published, Document, root),
        updates=updates,
        points={key: CLOCKED if key in abandoned else version for key, version in points.items()},
        pictures=pictures,
        letters=letters,
        abandoned=abandoned,
        deleted=frozenset(m.id for m in updates if m.reason is Reason.DELETED),
        buried=buried,
    )


def _clockless(message: Message) -> Message:
    """The message without the revision that a clock made."""
    match message:
        case ObjectRecord(outcome=values.Outcome.ABANDONED):
            return replace(message, revision=CLOCKED)
        case TrackedObjectUpdate() if _by_the_clock(message):
            return replace(message, revision=CLOCKED)
        case Document(record=record) if record.outcome is values.Outcome.ABANDONED:
            return replace(message, record=replace(record, revision=CLOCKED))
        case _:
            return message


def _by_the_clock(update: TrackedObjectUpdate) -> bool:
    return update.outcome is values.Outcome.ABANDONED or update.reason is Reason.DELETED


def _newest(published: Iterable[Message], kind: type[Message], root: str) -> dict[str, str]:
    """The last of each key, as text since messages hold dictionaries, with the place of the store cut out."""
    last: dict[str, Message] = {}
    for message in published:
        if isinstance(message, kind):
            last[message.key] = message
        elif isinstance(message, Tombstone) and message.of is kind:
            last.pop(message.key, None)
    return {key: repr(message).replace(root, "<store>") for key, message in last.items()}


def _points(settings: Settings) -> tuple[dict[str, int], frozenset[str]]:
    """The version of each point, and the objects that a tombstone stands for."""
    client = QdrantClient(url=settings.index.url, check_compatibility=False)
    found, buried, start = dict[str, int](), set[str](), None
    with closing(client):
        while True:
            points, start = client.scroll(settings.index.collection, limit=500, offset=start, with_payload=True)
            for payload in (point.payload for point in points if point.payload):
                if payload.get("deleted"):
                    buried.add(str(payload["object_id"]))
                else:
                    found[str(payload["object_id"])] = int(payload["version"])
            if start is None:
                return found, frozenset(buried)


def _header(record: Record, name: str) -> str:
    return (dict(record.headers)[name] or b"").decode()


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()
