"""Publishes messages on their topics: encoded, with headers, a bounded number under way, every one acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Protocol

from confluent_kafka import KafkaError, Producer
from confluent_kafka import Message as Record

from streams.adapters.catalogue import Catalogue
from streams.adapters.headers import cloud_event
from streams.adapters.kafka import producer_config
from streams.adapters.kafka_errors import answering
from streams.domain.errors import Outage
from streams.domain.messages import Message, record_class
from streams.settings import Kafka

UNDER_WAY: Final = 1000
"""Messages that may wait for their acknowledgement; whoever publishes more waits."""

PATIENCE: Final = 30.0
"""Seconds that a message may wait for its acknowledgement."""

GREETING: Final = 5.0
"""Seconds that the brokers have to answer at all."""

_POLL: Final = 0.1
"""Seconds between two looks at what was acknowledged."""


class Encoder(Protocol):
    """Makes a message the value of a record (`Codec`)."""

    async def encode(self, topic: str, message: Message) -> bytes | None: ...


class Publisher:
    """Writes messages to Kafka. Messages of one key that are published one after another stay in that order."""

    def __init__(self, *, producer: Producer, encoder: Encoder, catalogue: Catalogue, source: str) -> None:
        """`source` names who publishes, for the CloudEvents headers: `nvr-streams/<site>/<who>`."""
        self._producer, self._encoder, self._catalogue, self._source = producer, encoder, catalogue, source
        self._failure: str | None = None
        self.published = 0
        """Messages handed to Kafka so far, by count."""

    async def publish(self, message: Message, *, model: str | None = None) -> None:
        """Send a message on its way; waits while too many are. `model` names the embedding model of a document.

        Raises `Outage` when this or an earlier message was not acknowledged, `Poison` when it cannot be encoded.
        """
        topic = self._catalogue.topic_name(record_class(message), model)
        body = await self._encoder.encode(topic, message)
        await self._room()
        self._producer.produce(
            topic,
            key=message.key.encode(),
            value=body,
            headers=[*cloud_event(message, topic=topic, source=self._source, body=body)],
            on_delivery=self._delivered,
        )
        self.published += 1

    async def flush(self) -> None:
        """Return when everything that was published is acknowledged. Raises `Outage` when something was not."""
        while len(self._producer):
            await asyncio.to_thread(self._producer.flush, _POLL)
        self._raise_failure()

    async def _room(self) -> None:
        self._producer.poll(0)
        while len(self._producer) >= UNDER_WAY:
            await asyncio.to_thread(self._producer.poll, _POLL)
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure:
            raise Outage("kafka", self._failure)

    def _delivered(self, error: KafkaError | None, record: Record) -> None:
        """Called by whichever thread polls; one assignment, so that no lock is needed."""
        if error is not None:
            self._failure = f"a message on {record.topic()} was not acknowledged: {error.str()}"


@asynccontextmanager
async def open_publisher(
    kafka: Kafka, *, encoder: Encoder, catalogue: Catalogue, source: str
) -> AsyncIterator[Publisher]:
    """A publisher whose messages are all acknowledged when the block ends well.

    Raises `Outage` when no broker answers within seconds, or when a message is not acknowledged.
    """
    # Its own log would only repeat, on the terminal, what is raised.
    config = {**producer_config(kafka), "message.timeout.ms": round(PATIENCE * 1000), "log_level": 0}
    with answering(kafka):
        producer = Producer(config)
        await asyncio.to_thread(producer.list_topics, timeout=GREETING)
    publisher = Publisher(producer=producer, encoder=encoder, catalogue=catalogue, source=source)
    yield publisher
    await publisher.flush()
