"""Follows one of our topics: each record as one JSON value, whatever is in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from streams.adapters.rendering import Json, iso, plain
from streams.domain.errors import Poison
from streams.domain.messages import Tombstone
from streams.operations.messages import Decoder, decoder
from streams.operations.reading import Record, follow, whole
from streams.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """`limit` 0: without end. `follow` False: only what the topic holds now."""

    topic: str
    from_beginning: bool = False
    follow: bool = True
    key: str | None = None
    limit: int = 0


async def tail(settings: Settings, asked: Asked) -> AsyncIterator[dict[str, Json] | None]:
    """The records of a topic as they come; None now and then while nothing comes."""
    key = None if asked.key is None else asked.key.encode()
    given = 0
    with decoder(settings) as reader:
        for record in _records(settings, reader.topic(asked.topic), asked):
            if record is None:
                yield None
            elif key in {None, record.key}:
                yield await shown(reader, record)
                given += 1
                if given == asked.limit:
                    return


def _records(settings: Settings, topic: str, asked: Asked) -> Iterator[Record | None]:
    if asked.follow:
        return follow(settings.kafka, topic, from_beginning=asked.from_beginning)
    return whole(settings.kafka, topic)


async def shown(reader: Decoder, record: Record) -> dict[str, Json]:
    """One record: where it lies, its headers, and its message, or why there is none to be read."""
    place: dict[str, Json] = {
        "topic": reader.catalogue.short(record.topic),
        "partition": record.partition,
        "offset": record.offset,
        "time": iso(record.time),
        "key": as_text(record.key),
        "headers": [[name, as_text(value)] for name, value in record.headers],
    }
    if reader.catalogue.message_of(record.topic) is None:
        return {**place, "bytes": plain(record.value)}
    try:
        message = await reader.decode(record)
    except Poison as error:
        return {**place, "unreadable": str(error), "bytes": plain(record.value)}
    return {**place, "message": None if isinstance(message, Tombstone) else plain(message)}


def as_text(value: bytes | None) -> str | None:
    """Bytes that should be UTF-8; others are shown by their codes."""
    return None if value is None else value.decode(errors="backslashreplace")
