"""A compacted topic read whole by every worker, without a group: complete before any agent starts, then followed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.structs import ConsumerRecord

from streams.adapters.codec import Codec
from streams.adapters.kafka import aiokafka_config
from streams.domain.errors import Outage, Poison
from streams.domain.messages import Message
from streams.runtime.watchdog import fatal
from streams.settings import Kafka

log = structlog.get_logger(__name__)

POLL_MS, AGAIN_SECONDS = 500, 1.0


class Broadcast:
    """`apply` gets every message (a tombstone as `Tombstone`), in order per key."""

    def __init__(self, topic: str, *, kafka: Kafka, codec: Codec, apply: Callable[[Message], None]) -> None:
        self._topic, self._codec, self._apply = topic, codec, apply
        self._kafka = kafka
        self._consumer: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns once everything that is in the topic now was applied. Raises `Outage` when no broker answers."""
        consumer = self._consumer = AIOKafkaConsumer(
            **aiokafka_config(self._kafka), enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            await consumer.start()
        except KafkaConnectionError as error:
            await consumer.stop()
            raise Outage("kafka", f"{self._kafka.bootstrap}: {error}") from error
        partitions = [TopicPartition(self._topic, number) for number in range(self._kafka.partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        # the position, not the last offset seen: compaction leaves holes at the end
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            await self._poll(consumer)
        self._task = asyncio.create_task(self._follow(consumer))
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._consumer:
            await self._consumer.stop()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Agents must not go on with a view that nobody keeps."""
        error = None if task.cancelled() else task.exception()
        if error:
            fatal(error)

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            await self._poll(consumer)

    async def _poll(self, consumer: AIOKafkaConsumer) -> None:
        try:
            batches = await consumer.getmany(timeout_ms=POLL_MS)
        except KafkaError as error:
            log.warning("the broker does not answer", topic=self._topic, error=repr(error))
            await asyncio.sleep(AGAIN_SECONDS)
            return
        for record in (record for batch in batches.values() for record in batch):
            await self._take(record)

    async def _take(self, record: ConsumerRecord) -> None:
        while True:
            try:
                at = record.timestamp * 1000
                self._apply(await self._codec.decode(record.topic, record.key, record.value, at=at))
            except Outage as outage:
                log.warning("waiting", what=outage.what, topic=self._topic)
                await asyncio.sleep(outage.retry_after or AGAIN_SECONDS)
            except Poison as poison:  # every worker reads it, so it is told here and not buried once per worker
                log.error("undecodable broadcast", topic=self._topic, offset=record.offset, reason=str(poison))
                return
            else:
                return
