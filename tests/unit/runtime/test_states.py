"""The states of an agent's keys: what is due, what is forgotten, and both indexes rebuilt after recovery."""

from __future__ import annotations

import pytest
from faust.types import TP

from streams.runtime.envelope import NEVER, Envelope
from streams.runtime.states import NoStore, States


class Partitions:
    """A table of two partitions."""

    def __init__(self) -> None:
        self.parts: dict[int, dict[bytes, bytes]] = {0: {}, 1: {}}

    def put(self, partition: int, key: bytes, value: bytes | None, offset: int) -> None:
        assert offset >= 0
        if value is None:
            self.parts[partition].pop(key, None)
        else:
            self.parts[partition][key] = value

    def get_state(self, partition: int, key: bytes) -> bytes | None:
        return self.parts[partition].get(key)

    def items_of(self, partition: int) -> list[tuple[bytes, bytes]]:
        return list(self.parts[partition].items())

    def partitions(self) -> list[int]:
        return list(self.parts)


def living(deadline: int = NEVER) -> bytes:
    return Envelope(b"state", deadline, {1: 5}).dump()


FORGOTTEN = Envelope(None, NEVER, {1: 5}).dump()


@pytest.fixture
def states() -> States:
    store = Partitions()
    return States(lambda: store)  # type: ignore[arg-type,return-value]  # what states need of a store


def test_a_key_is_due_once_its_deadline_has_come_in_its_own_partition_only(states: States) -> None:
    states.put(0, b"k", living(100), 0)
    assert states.due(0, 99) == []
    assert states.due(0, 100) == [b"k"]
    assert states.due(1, 100) == []


def test_a_moved_deadline_replaces_the_old_one(states: States) -> None:
    states.put(0, b"k", living(100), 0)
    states.put(0, b"k", living(200), 1)
    assert states.due(0, 150) == []
    states.put(0, b"k", living(), 2)
    assert states.due(0, NEVER - 1) == []


def test_a_forgotten_key_is_asked_for_until_it_is_deleted(states: States) -> None:
    states.put(0, b"k", FORGOTTEN, 0)
    assert states.due(0, 0) == [b"k"]
    states.put(0, b"k", None, 1)
    assert states.due(0, 0) == []
    assert states.get(0, b"k") is None


def test_a_forgotten_key_that_lives_again_is_not_asked_for(states: States) -> None:
    states.put(0, b"k", FORGOTTEN, 0)
    states.put(0, b"k", living(), 1)
    assert states.due(0, 0) == []


def test_recovery_brings_back_deadlines_and_forgotten_keys_and_nothing_of_before(states: States) -> None:
    states.put(0, b"lost", living(1), 0)
    store = states._store()
    store.put(0, b"lost", None, 1)
    store.put(0, b"due", living(100), 2)
    store.put(0, b"lives", living(), 3)
    store.put(1, b"forgotten", FORGOTTEN, 0)
    states.rebuild()
    assert states.due(0, 100) == [b"due"]
    assert states.due(1, 100) == [b"forgotten"]


def test_an_agent_that_remembers_nothing_has_no_partitions_and_nothing_to_write_to() -> None:
    states = States(NoStore)
    assert states.partitions() == []
    assert states.get(0, b"k") is None
    states.rebuild()
    with pytest.raises(LookupError, match="no changelog"):
        states.put(0, b"k", living(), 0)
    with pytest.raises(LookupError):
        NoStore().load(0, {}, 0)
    with pytest.raises(LookupError):
        NoStore().persisted_offset(TP("nvr-x", 0))
