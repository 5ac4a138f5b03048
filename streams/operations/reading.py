"""Reads topics as they lie in Kafka, without a consumer group: whole up to their end, or on and on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaException, Message, TopicPartition

from streams.adapters.kafka import client_config
from streams.adapters.kafka_errors import answering, settled
from streams.domain.errors import Outage
from streams.domain.values import Instant
from streams.settings import Kafka

Headers = tuple[tuple[str, bytes | None], ...]

Progress = Callable[[int, int], None]
"""Called with the records read so far and the offsets to be read in all (fewer records where some are compacted)."""

ANSWER_SECONDS = 4.0
"""How long a broker has for a simple question."""

STALL_SECONDS = 15.0
"""A read that gets nothing for this long is given up."""

_REPORTED = 500
"""Progress is told once in so many records."""

_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record, untouched; `time` is its timestamp."""

    topic: str
    partition: int
    offset: int
    time: Instant
    key: bytes | None
    value: bytes | None
    headers: Headers


def whole(kafka: Kafka, topic: str, progress: Progress | None = None) -> Iterator[Record]:
    """Every record up to the end that the topic has now; those of one partition in their order.

    Raises `Outage` when the broker does not answer or goes silent, and `LookupError` when there is no such topic.
    """
    with answering(kafka), _consumer(kafka) as consumer:
        unread = _Unread(_ranges(consumer, topic))
        consumer.assign([TopicPartition(topic, partition, low) for partition, low in unread.starts])
        done = 0
        while unread:
            message = consumer.poll(STALL_SECONDS)
            if message is None:
                raise Outage("kafka", f"{kafka.bootstrap} sent nothing of {topic} for {STALL_SECONDS:.0f} s")
            if unread.take(message):
                done += 1
                yield _record(message)
            if progress and (done % _REPORTED == 0 or not unread):
                progress(done if unread else unread.total, unread.total)


def follow(kafka: Kafka, topic: str, *, from_beginning: bool = False) -> Iterator[Record | None]:
    """Every record as it comes, without end; None now and then while nothing comes. Raises like `whole`."""
    with answering(kafka), _consumer(kafka) as consumer:
        start = OFFSET_BEGINNING if from_beginning else OFFSET_END
        consumer.assign([TopicPartition(topic, partition, start) for partition in _partitions(consumer, topic)])
        while True:
            message = consumer.poll(_POLL_SECONDS)
            if message is None or not _at_end(message):
                yield None if message is None else _record(message)


def newest(records: Iterable[Record]) -> list[Record]:
    """The last record of each key; a key whose last record is a tombstone is gone. Records without key count for nothing."""
    last = {record.key: record for record in records if record.key is not None}
    return [record for record in last.values() if record.value is not None]


@contextmanager
def _consumer(kafka: Kafka) -> Iterator[Consumer]:
    consumer = Consumer(
        {
            **client_config(kafka),
            "group.id": f"{kafka.prefix}-reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )
    try:
        yield consumer
    finally:
        consumer.close()


def _partitions(consumer: Consumer, topic: str) -> list[int]:
    found = consumer.list_topics(topic, timeout=ANSWER_SECONDS).topics[topic]
    if found.error is not None:
        raise LookupError(f"no topic {topic}: {found.error.str()}; run: nvr-streams topics create")
    return sorted(found.partitions)


def _ranges(consumer: Consumer, topic: str) -> dict[int, tuple[int, int]]:
    """Lowest offset and end of each partition."""
    return {
        partition: settled(
            partial(consumer.get_watermark_offsets, TopicPartition(topic, partition), timeout=ANSWER_SECONDS)
        )
        for partition in _partitions(consumer, topic)
    }


class _Unread:
    """What is still to be read of each partition: up to the end that it had at the start."""

    def __init__(self, ranges: dict[int, tuple[int, int]]) -> None:
        self._ends = {partition: high for partition, (low, high) in ranges.items() if low < high}
        self.starts = [(partition, ranges[partition][0]) for partition in self._ends]
        self.total = sum(high - low for low, high in ranges.values())

    def __bool__(self) -> bool:
        return bool(self._ends)

    def take(self, message: Message) -> bool:
        """Whether the record belongs to the read; the last one closes its partition, as does its end."""
        partition, offset = message.partition() or 0, message.offset() or 0
        end = self._ends.get(partition, 0)
        if _at_end(message) or offset + 1 >= end:
            self._ends.pop(partition, None)
        return not message.error() and offset < end


def _at_end(message: Message) -> bool:
    """Whether this is no record but the word that a partition ends here. Raises for every other error."""
    error = message.error()
    if error is not None and error.name() != "_PARTITION_EOF":
        raise KafkaException(error)
    return error is not None


def _record(message: Message) -> Record:
    return Record(
        topic=message.topic() or "",
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        time=message.timestamp()[1] * 1000,
        key=_bytes(message.key()),
        value=_bytes(message.value()),
        headers=_headers(message),
    )


def _headers(message: Message) -> Headers:
    """In their order, repeated ones too; the client's type allows a mapping, which it never returns."""
    found = message.headers() or []
    pairs = found.items() if isinstance(found, dict) else found
    return tuple((name, _bytes(value)) for name, value in pairs)


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
