"""Everything a worker publishes goes through here: one producer for all its agents, every record acknowledged."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError
from aiokafka.structs import RecordMetadata

from streams.adapters.kafka import aiokafka_config
from streams.domain.errors import Outage
from streams.runtime.records import Outgoing
from streams.settings import Settings

MAX_RECORD_BYTES = 1_000_000
"""What a broker takes by default, with room for headers."""

Acknowledgement = Awaitable[RecordMetadata]


class Broker:
    def __init__(self, settings: Settings, *, alive: Callable[[], None] = lambda: None) -> None:
        """`alive` is called before every record: who stood still for long leaves there, and writes nothing more."""
        self._settings, self._alive = settings, alive
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Raises `Outage` when no broker answers."""
        self._producer = AIOKafkaProducer(
            **aiokafka_config(self._settings.kafka),
            acks="all",
            linger_ms=int(self._settings.worker.linger.total_seconds() * 1000),
            request_timeout_ms=30_000,
            max_request_size=4 * MAX_RECORD_BYTES,  # dead letters carry what they bury, and why
        )
        try:
            await self._producer.start()
        except KafkaConnectionError as error:
            await self._producer.stop()
            raise Outage("kafka", f"{self._settings.kafka.bootstrap}: {error}") from error

    async def stop(self) -> None:
        if self._producer:
            await self._producer.stop()

    async def send(self, record: Outgoing, partition: int | None = None) -> Acknowledgement:
        """Hand a record to the producer; the result is awaited for the broker's acknowledgement.

        Without `partition` it is murmur2 of the key, as Java does.
        """
        assert self._producer is not None, "started"
        self._alive()
        acknowledgement: Acknowledgement = await self._producer.send(
            record.topic,
            record.value,
            key=record.key,
            partition=partition,
            timestamp_ms=record.time // 1000,
            headers=list(record.headers),
        )
        return acknowledgement
