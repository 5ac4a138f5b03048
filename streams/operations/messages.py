"""Messages of our topics, as commands read and write them: the catalogue names their topics, the registry their schemas."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

import structlog

from streams.adapters.catalogue import Catalogue
from streams.adapters.codec import Codec
from streams.adapters.publisher import Publisher, open_publisher
from streams.adapters.registry import Registry
from streams.domain.errors import Poison
from streams.domain.messages import Message
from streams.operations.reading import Progress, Record, newest, whole
from streams.settings import Settings

M = TypeVar("M", bound=Message)

log = structlog.get_logger(__name__)


@contextmanager
def decoder(settings: Settings) -> Iterator[Decoder]:
    """A decoder whose connection to the registry lives as long as the block."""
    with Registry(settings.registry) as registry:
        catalogue = Catalogue(settings.kafka.prefix)
        yield Decoder(catalogue, Codec(catalogue, registry), settings.embedding.model)


class Decoder:
    def __init__(self, catalogue: Catalogue, codec: Codec, model: str) -> None:
        """`model` names the embedding model whose documents are meant."""
        self.catalogue, self.codec, self._model = catalogue, codec, model

    def topic(self, name: str) -> str:
        """The name in Kafka of a topic that people name with or without the prefix.

        Raises `LookupError` naming the topics that there are.
        """
        known = {self.catalogue.short(topic.name): topic.name for topic in self.catalogue.topics([self._model])}
        full = known.get(name, name)
        try:
            return self.catalogue.topic(full).name
        except LookupError as error:
            raise LookupError(f"no topic {name}; there are {', '.join(sorted(known))}") from error

    def topic_of(self, message: type[Message]) -> str:
        """The name in Kafka of the topic that these messages travel on."""
        return self.catalogue.topic_name(message, self._model)

    async def decode(self, record: Record) -> Message:
        """Raises `Poison` when the record is none of ours, and `Outage` while the registry does not answer."""
        return await self.codec.decode(record.topic, record.key, record.value, at=record.time)


async def current(
    settings: Settings, kind: type[M], *, key: str | None = None, progress: Progress | None = None
) -> list[M]:
    """What a compacted topic holds now: the last message of each key (or of `key` alone) that is no tombstone.

    A record that cannot be read is told and left out: it must not hide the others, nor keep anyone from replacing it.
    Raises `Outage` and `LookupError` (no such topic).
    """
    found: list[M] = []
    with decoder(settings) as reader:
        records = whole(settings.kafka, reader.topic_of(kind), progress)
        for record in newest(each for each in records if key is None or each.key == key.encode()):
            try:
                message = await reader.decode(record)
            except Poison as poison:
                place = f"{record.topic}, partition {record.partition}, offset {record.offset}"
                log.warning("unreadable record left out", place=place, error=str(poison))
                continue
            if isinstance(message, kind):
                found.append(message)
    return found


@asynccontextmanager
async def publishing(settings: Settings, who: str) -> AsyncIterator[Publisher]:
    """A publisher whose messages, in the name of `who`, are all acknowledged when the block ends well."""
    source = f"nvr-streams/{settings.site}/{who}"
    with decoder(settings) as known:
        async with open_publisher(
            settings.kafka, encoder=known.codec, catalogue=known.catalogue, source=source
        ) as publisher:
            yield publisher
