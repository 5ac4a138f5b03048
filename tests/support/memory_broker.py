"""The in-memory twin of the runtime's broker: acknowledges what it is told to, and remembers it in order."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from aiokafka.errors import KafkaConnectionError
from aiokafka.structs import RecordMetadata, TopicPartition

from streams.runtime.broker import Acknowledgement
from streams.runtime.records import Outgoing


@dataclass
class MemoryBroker:
    sent: list[tuple[Outgoing, int | None]] = field(default_factory=list)
    failures: int = 0
    """So many acknowledgements to come are refused."""
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    """While not set, nothing is acknowledged."""

    def __post_init__(self) -> None:
        self.answering.set()

    async def send(self, record: Outgoing, partition: int | None = None) -> Acknowledgement:
        self.sent.append((record, partition))
        return _Acknowledgement(self, len(self.sent) - 1)

    async def acknowledge(self, offset: int) -> RecordMetadata:
        await self.answering.wait()
        if self.failures:
            self.failures -= 1
            raise KafkaConnectionError("the broker went away")
        record, partition = self.sent[offset]
        tp = TopicPartition(record.topic, partition or 0)
        return RecordMetadata(record.topic, partition or 0, tp, offset, record.time // 1000, 0, 0)

    def topics(self) -> list[str]:
        return [record.topic for record, _ in self.sent]


@dataclass
class _Acknowledgement:
    """May be left alone, as a future may."""

    broker: MemoryBroker
    offset: int

    def __await__(self) -> Generator[Any, None, RecordMetadata]:
        return self.broker.acknowledge(self.offset).__await__()
