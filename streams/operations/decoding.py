"""Records as messages, for commands: the catalogue names their topics, the registry their schemas."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from streams.adapters.catalogue import Catalogue
from streams.adapters.codec import Codec
from streams.adapters.registry import Registry
from streams.domain.messages import Message
from streams.operations.reading import Record
from streams.settings import Settings


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
