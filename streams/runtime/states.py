"""The states of one agent's keys, with the indexes that deadlines and forgotten keys need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from faust.types import TP

from streams.domain.errors import Poison
from streams.domain.values import Instant
from streams.runtime.deadlines import Deadlines
from streams.runtime.envelope import NEVER, Envelope
from streams.runtime.tables import StateStore


class States:
    def __init__(self, store: Callable[[], StateStore]) -> None:
        self._store = store
        self._deadlines = Deadlines()
        self._forgotten: dict[int, set[bytes]] = {}

    def get(self, partition: int, key: bytes) -> bytes | None:
        """The key's envelope."""
        return self._store().get_state(partition, key)

    def put(self, partition: int, key: bytes, raw: bytes | None, offset: int) -> None:
        """Take over what the changelog acknowledged at `offset`; None deletes the key."""
        self._store().put(partition, key, raw, offset)
        envelope = Envelope.load(raw)
        self._deadlines.set(partition, key, None if envelope.deadline == NEVER else envelope.deadline)
        forgotten = self._forgotten.setdefault(partition, set())
        if raw is not None and envelope.state is None:
            forgotten.add(key)
        else:
            forgotten.discard(key)

    def rebuild(self) -> None:
        """Index everything that recovery brought."""
        self._deadlines.clear()
        self._forgotten.clear()
        for partition in self._store().partitions():
            dated = []
            for key, raw in self._store().items_of(partition):
                try:
                    envelope = Envelope.load(raw)
                except Poison:
                    continue  # a newer release wrote it: its messages are buried when they come
                if envelope.state is None:
                    self._forgotten.setdefault(partition, set()).add(key)
                elif envelope.deadline != NEVER:
                    dated.append((key, envelope.deadline))
            self._deadlines.rebuild(partition, dated)

    def partitions(self) -> list[int]:
        return self._store().partitions()

    def due(self, partition: int, now: Instant) -> list[bytes]:
        """Keys whose deadline has passed, and forgotten ones that may be deleted by now."""
        return [*self._deadlines.due(partition, now), *self._forgotten.get(partition, ())]


class NoStore:
    """The store of an agent that remembers nothing."""

    def persisted_offset(self, tp: TP) -> int:
        raise LookupError(f"{tp}: no changelog")

    def put(self, partition: int, key: bytes, value: bytes | None, offset: int) -> None:
        del value, offset
        raise LookupError(f"{key!r} in partition {partition}: no changelog")

    def load(self, partition: int, values: Mapping[bytes, bytes | None], offset: int) -> None:
        del values, offset
        raise LookupError(f"partition {partition}: no changelog")

    def get_state(self, partition: int, key: bytes) -> bytes | None:
        del partition, key
        return None

    def items_of(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        del partition
        return iter(())

    def partitions(self) -> list[int]:
        return []
