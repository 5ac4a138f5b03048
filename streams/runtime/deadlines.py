"""Which key of which partition is due when."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from streams.domain.values import Instant


class Deadlines:
    """An index over the deadlines in the table, per partition: rebuilt after recovery, dropped at revoke."""

    def __init__(self) -> None:
        self._when: dict[int, dict[bytes, Instant]] = {}
        self._heaps: dict[int, list[tuple[Instant, bytes]]] = {}

    def rebuild(self, partition: int, entries: Iterable[tuple[bytes, Instant]]) -> None:
        self._when[partition] = dict(entries)
        self._heaps[partition] = [(when, key) for key, when in self._when[partition].items()]
        heapq.heapify(self._heaps[partition])

    def clear(self) -> None:
        self._when.clear()
        self._heaps.clear()

    def set(self, partition: int, key: bytes, deadline: Instant | None) -> None:
        """Move the key's deadline, or with None take it out."""
        when = self._when.setdefault(partition, {})
        if deadline is None:
            when.pop(key, None)
        elif when.get(key) != deadline:
            when[key] = deadline
            heapq.heappush(self._heaps.setdefault(partition, []), (deadline, key))

    def due(self, partition: int, now: Instant) -> list[bytes]:
        """Keys whose deadline has passed; they stay in the index until `set` moves them or takes them out."""
        when, heap = self._when.get(partition, {}), self._heaps.get(partition, [])
        found: dict[bytes, Instant] = {}
        while heap and heap[0][0] <= now:
            deadline, key = heapq.heappop(heap)
            if when.get(key) == deadline:  # entries that were moved since are dropped here
                found[key] = deadline
        for key, deadline in found.items():
            heapq.heappush(heap, (deadline, key))
        return list(found)
