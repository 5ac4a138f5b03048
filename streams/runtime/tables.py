"""A Faust table used for its assignment and recovery only: the runtime writes changelog and store itself.

Faust writes its store before the changelog is acknowledged, so after a kill a local store can be ahead. Here the
changelog record is sent and acknowledged first, and only then put into the store, with its offset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

import faust
from faust.stores.memory import Store
from faust.types import TP, EventT
from faust.types.stores import StoreT


class StateStore(Protocol):
    """The keys of the partitions that this worker owns."""

    def persisted_offset(self, tp: TP) -> int: ...

    def put(self, partition: int, key: bytes, value: bytes | None, offset: int) -> None:
        """Take over one changelog record; None deletes the key."""
        ...

    def load(self, partition: int, values: Mapping[bytes, bytes | None], offset: int) -> None:
        """Take over many changelog records, the last of them at `offset`."""
        ...

    def get_state(self, partition: int, key: bytes) -> bytes | None: ...

    def items_of(self, partition: int) -> Iterator[tuple[bytes, bytes]]: ...

    def partitions(self) -> list[int]: ...


class MemoryStore(Store[bytes, bytes]):
    """Kept per partition, with the changelog offset it is at.

    Faust's own memory store never drops lost partitions and does not know which key lies where. `persisted_offset` is
    what Faust's recovery starts from: a kept partition is not read again, a lost one is always read from its start.
    """

    def __post_init__(self) -> None:
        self.parts: dict[int, dict[bytes, bytes]] = {}
        self.offsets: dict[int, int] = {}

    def persisted_offset(self, tp: TP) -> int:
        return self.offsets.get(tp.partition, -1)

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        del revoked, newly_assigned, generation_id
        mine = {tp.partition for tp in assigned if tp.topic == self.table.changelog_topic.get_topic_name()}
        for partition in self.parts.keys() - mine:
            del self.parts[partition], self.offsets[partition]
        for partition in mine - self.parts.keys():
            self.parts[partition], self.offsets[partition] = {}, -1

    def apply_changelog_batch(
        self, batch: Iterable[EventT[bytes]], to_key: Callable[[object], object], to_value: Callable[[object], object]
    ) -> None:
        del to_key, to_value
        for event in batch:
            message = event.message
            if message.partition in self.parts and message.offset > self.offsets[message.partition]:
                self.put(message.partition, message.key or b"", message.value, message.offset)

    def put(self, partition: int, key: bytes, value: bytes | None, offset: int) -> None:
        part = self.parts.get(partition)
        if part is None:
            return  # not ours any more: the changelog has it
        if value is None:
            part.pop(key, None)
        else:
            part[key] = value
        self.offsets[partition] = max(offset, self.offsets[partition])

    def load(self, partition: int, values: Mapping[bytes, bytes | None], offset: int) -> None:
        for key, value in values.items():
            self.put(partition, key, value, offset)
        if partition in self.offsets:
            self.offsets[partition] = max(offset, self.offsets[partition])

    def get_state(self, partition: int, key: bytes) -> bytes | None:
        return self.parts.get(partition, {}).get(key)

    def items_of(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        return iter(list(self.parts.get(partition, {}).items()))

    def partitions(self) -> list[int]:
        return list(self.parts)

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Nothing to weed out: `on_rebalance` keeps exactly what is assigned."""


def rocks_store() -> Callable[..., StoreT[bytes, bytes]]:
    """The same verbs over Faust's RocksDB store, imported only when it is asked for."""
    from faust.stores.rocksdb import Store as Rocks  # noqa: PLC0415 -- an optional dependency

    class RocksStore(Rocks):
        def persisted_offset(self, tp: TP) -> int:
            offset = super().persisted_offset(tp)
            return -1 if offset is None else offset

        def put(self, partition: int, key: bytes, value: bytes | None, offset: int) -> None:
            self.load(partition, {key: value}, offset)

        def load(self, partition: int, values: Mapping[bytes, bytes | None], offset: int) -> None:
            db = self._dbs.get(partition)
            if db is None:
                return  # not ours any more: the changelog has it
            for key, value in values.items():
                if value is None:
                    db.delete(key)
                else:
                    db.put(key, value)
            db.put(self.offset_key, str(offset).encode())

        def get_state(self, partition: int, key: bytes) -> bytes | None:
            db = self._dbs.get(partition)
            return None if db is None else db.get(key)

        def items_of(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
            db = self._dbs.get(partition)
            return iter(()) if db is None else self._visible_items(db)

        def partitions(self) -> list[int]:
            return list(self._dbs)

    return RocksStore


class StateTable(faust.Table[bytes, bytes]):
    """Raw bytes in, raw bytes out; made with `key_type=bytes, value_type=bytes`."""

    def _new_store(self) -> StoreT[bytes, bytes]:
        url = self._store or self.app.conf.store
        kind: Callable[..., StoreT[bytes, bytes]] = MemoryStore if url.scheme == "memory" else rocks_store()
        return kind(
            url,
            self.app,
            self,
            table_name=self.name,
            key_type=self.key_type,
            value_type=self.value_type,
            key_serializer="raw",
            value_serializer="raw",
            loop=self.loop,
            options=self.options,
        )
