"""The states of an agent's keys: what is due, what is forgotten, and what a recovered table is indexed by."""

from __future__ import annotations

import pytest
from faust.types import TP

from streams.runtime.envelope import NEVER, Envelope
from streams.runtime.states import NoStore, States


class Store(NoStore):
    """Partitions as dictionaries."""

    def __init__(self) -> None:
        self.parts: dict[int, dict[bytes, bytes]] = {0: {}, 1: {}}

    def put(self, partition: int, key: bytes, value: bytes | None, offset: int) -> None:
        if value is None:
            self.parts[partition].pop(key, None)
        else:
            self.parts[partition][key] = value

    def get_state(self, partition: int, key: bytes) -> bytes | None:
        return self.parts[partition].get(key)

    def items_of(self, partition: int):
        return iter(self.parts[partition].items())

    def partitions(self) -> list[int]:
        return list(self.parts)


DATED = Envelope(b"state", 10, {1: 5}).dump()
UNDATED = Envelope(b"state", NEVER, {1: 5}).dump()
FORGOTTEN = Envelope(None, NEVER, {1: 5}).dump()


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def states(store: Store) -> States:
    return States(lambda: store)


def test_a_recovered_table_is_indexed_by_deadline_and_forgetting(states, store) -> None:
    store.parts[0] = {b"dated": DATED, b"undated": UNDATED, b"forgotten": FORGOTTEN}
    states.rebuild()
    assert states.due(0, 9) == [b"forgotten"]
    assert states.due(0, 10) == [b"dated", b"forgotten"]
    assert states.due(1, 10) == []


def test_a_state_of_a_newer_release_does_not_keep_a_table_from_being_used(states, store) -> None:
    store.parts[0] = {b"newer": b"\x09" + DATED[1:], b"dated": DATED}
    states.rebuild()
    assert states.due(0, 10) == [b"dated"]


def test_what_is_put_moves_in_the_index(states) -> None:
    states.put(0, b"key", DATED, 1)
    assert states.due(0, 10) == [b"key"]
    states.put(0, b"key", UNDATED, 2)
    assert states.due(0, 10) == []
    states.put(0, b"key", FORGOTTEN, 3)
    assert states.due(0, 0) == [b"key"]
    states.put(0, b"key", None, 4)
    assert states.due(0, 10) == []
    assert states.get(0, b"key") is None


def test_a_rebuilt_index_knows_nothing_of_partitions_that_were_lost(states, store) -> None:
    states.put(1, b"key", DATED, 1)
    del store.parts[1]
    states.rebuild()
    assert states.due(1, 10) == []
    assert states.partitions() == [0]


def test_an_agent_that_remembers_nothing_has_nothing_to_lose() -> None:
    states = States(NoStore)
    states.rebuild()
    assert states.partitions() == []
    assert states.get(0, b"key") is None
    with pytest.raises(LookupError):
        states.put(0, b"key", DATED, 1)
    with pytest.raises(LookupError):
        NoStore().load(0, {}, 1)
    with pytest.raises(LookupError):
        NoStore().persisted_offset(TP("nvr-x", 0))
