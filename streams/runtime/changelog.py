"""Reads a table's changelog in bulk, before Faust's own recovery looks at it and finds nothing left to do.

Faust reads a changelog at some 4,000 keys a second on the event loop, and waits for ever when the last record was
compacted away. A plain consumer on a thread reads hundreds of thousands a second, and ends at the end of the log.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from streams.adapters.kafka import client_config
from streams.settings import Kafka

BATCH, POLL_SECONDS = 10_000, 0.1


@dataclass(slots=True)
class Content:
    """The newest value of every key that was written since an offset; None: deleted."""

    end: int
    """The offset behind the last record, whether that record still exists or not."""
    values: dict[bytes, bytes | None] = field(default_factory=dict)


async def read(kafka: Kafka, topic: str, starts: Mapping[int, int]) -> dict[int, Content]:
    """Read each partition from its start offset to its end. Raises `KafkaException` when the broker refuses."""
    abandoned = threading.Event()
    thread = ThreadPoolExecutor(1, thread_name_prefix="changelog")  # Faust's apps fill the loop's own threads
    try:
        return await asyncio.get_running_loop().run_in_executor(thread, _read, kafka, topic, starts, abandoned)
    finally:
        abandoned.set()  # a rebalance cancels the wait, and the thread must not read on for nothing
        thread.shutdown(wait=False)


def _read(kafka: Kafka, topic: str, starts: Mapping[int, int], abandoned: threading.Event) -> dict[int, Content]:
    consumer = Consumer(
        {
            **client_config(kafka),
            "group.id": "never-committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    contents = {partition: Content(start) for partition, start in starts.items()}
    unread = set(starts)
    try:
        consumer.assign([TopicPartition(topic, partition, start) for partition, start in starts.items()])
        while unread and not abandoned.is_set():
            for message in consumer.consume(BATCH, POLL_SECONDS):
                partition = message.partition()
                if partition is not None and _take(message, contents[partition]):
                    unread.discard(partition)
    finally:
        consumer.close()
    return contents


def _take(message: Message, content: Content) -> bool:
    """Whether this was the end of the partition."""
    error = message.error()
    if error is None:
        content.values[message.key() or b""] = message.value()
        return False
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 -- the client has no public name for it
        content.end = max(content.end, message.offset() or 0)
        return True
    if not error.retriable():
        raise KafkaException(error)
    return False
