"""What was taken from each partition, what is finished, and what may be committed: the contiguous finished prefix.

Topics are declared with `acks=False`, so Faust neither tracks nor commits their offsets (its own bookkeeping commits
past messages that are still in flight).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from faust.types import TP

from streams.adapters.telemetry import AgentMeter
from streams.domain.values import Instant

log = structlog.get_logger(__name__)


class Source(Protocol):
    """What the ledger needs of the consumer."""

    start_offsets: dict[TP, int]

    def predecessor(self, tp: TP, offset: int) -> int | None: ...

    async def rewind(self, offsets: dict[TP, int], generation: int) -> None: ...


@dataclass(slots=True, eq=False)
class Slot:
    """One message that was taken; finished once its effects are durable."""

    tp: TP
    offset: int
    partition: Partition
    done: bool = False

    def finish(self) -> None:
        self.done = True
        self.partition.open -= 1
        slots = self.partition.slots
        while slots and slots[0].done:
            self.partition.finished = slots.popleft().offset + 1


@dataclass(slots=True, eq=False)
class Partition:
    """One partition in one generation of the consumer group."""

    generation: int
    expected: int
    """The next offset that the broker should hand us."""
    committed: int
    finished: int | None = None
    """The next offset to commit, once something is finished."""
    time: Instant = 0
    """Timestamp of the last message taken."""
    open: int = 0
    slots: deque[Slot] = field(default_factory=deque)


class Ledger:
    def __init__(
        self,
        source: Callable[[], Source],
        commit: Callable[[Mapping[TP, int]], Awaitable[bool]],
        meter: AgentMeter,
    ) -> None:
        self._source, self._commit, self._meter = source, commit, meter
        self.partitions: dict[TP, Partition] = {}

    def partition(self, tp: TP, generation: int) -> Partition:
        found = self.partitions.get(tp)
        if found is None or found.generation != generation:
            start = self._source().start_offsets[tp]
            found = self.partitions[tp] = Partition(generation, start, start)
        return found

    async def take(self, tp: TP, offset: int, *, generation: int, time: Instant) -> Slot | None:
        """The slot of this message, or None when it must not be handled (seen before, or out of turn)."""
        partition = self.partition(tp, generation)
        predecessor = self._source().predecessor(tp, offset)
        if offset < partition.expected:
            return None
        if offset > partition.expected:
            if predecessor is None or predecessor >= partition.expected:
                await self._go_back(partition, tp, offset)
                return None
            self._meter.gap(offset - partition.expected)  # nothing lies between: compaction, transaction markers
        partition.expected, partition.time = offset + 1, time
        partition.open += 1
        slot = Slot(tp, offset, partition)
        partition.slots.append(slot)
        return slot

    async def _go_back(self, partition: Partition, tp: TP, offset: int) -> None:
        """Messages were dropped between the broker and us: hand everything out again from what is expected."""
        self._meter.rewound()
        log.warning(
            "messages skipped, rewinding",
            topic=tp.topic,
            partition=tp.partition,
            expected=partition.expected,
            got=offset,
        )
        source = self._source()
        taken = {tp: p.expected for tp, p in self.partitions.items() if p.generation == partition.generation}
        await source.rewind({**source.start_offsets, **taken}, partition.generation)

    async def commit(self) -> None:
        """Commit the finished prefix of every partition that moved."""
        moved = {tp: p for tp, p in self.partitions.items() if p.finished is not None and p.finished != p.committed}
        offsets = {tp: p.finished for tp, p in moved.items() if p.finished is not None}
        if offsets and await self._commit(offsets):
            for tp, partition in moved.items():
                partition.committed = offsets[tp]

    def is_committed(self, tp: TP, offset: int) -> bool:
        """Whether this offset can not be handed to us again."""
        partition = self.partitions.get(tp)
        return (partition.committed if partition else self._source().start_offsets.get(tp, 0)) > offset

    def forget(self) -> None:
        self.partitions.clear()
