"""The envelope around a state, and the index of deadlines built from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.domain.errors import Poison
from streams.runtime.deadlines import Deadlines
from streams.runtime.envelope import NEVER, Envelope, topic_id

GOLDEN = bytes.fromhex("01 01 000000003b9aca00 02 0000002a 0000000000000007 deadbeef ffffffffffffffff") + b"state"


def test_a_released_envelope_can_always_be_read() -> None:
    assert Envelope.load(GOLDEN) == Envelope(b"state", 1_000_000_000, {42: 7, 0xDEADBEEF: -1})
    assert Envelope(b"state", 1_000_000_000, {42: 7, 0xDEADBEEF: -1}).dump() == GOLDEN


@given(
    st.none() | st.binary(max_size=50),
    st.integers(0, NEVER),
    st.dictionaries(st.integers(0, 2**32 - 1), st.integers(-1, 2**63 - 1), max_size=4),
)
def test_what_is_written_is_read_back(state: bytes | None, deadline: int, applied: dict[int, int]) -> None:
    assert Envelope.load(Envelope(state, deadline, applied).dump()) == Envelope(state, deadline, applied)


def test_an_empty_state_is_not_a_forgotten_one() -> None:
    assert Envelope.load(Envelope(b"", NEVER, {}).dump()).state == b""
    assert Envelope.load(Envelope(None, NEVER, {1: 1}).dump()).state is None


def test_nothing_stored_is_an_empty_envelope() -> None:
    assert Envelope.load(None) == Envelope()


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(Poison, match="format 9, expected 1"):
        Envelope.load(b"\x09" + GOLDEN[1:])


def test_topics_are_told_apart_by_four_stable_bytes() -> None:
    assert topic_id("123456789") == 0xCBF43926
    assert topic_id("nvr-sightings") != topic_id("nvr-findings")


def test_a_deadline_is_due_from_its_time_on_until_it_is_moved() -> None:
    deadlines = Deadlines()
    deadlines.set(0, b"a", 10)
    assert deadlines.due(0, 9) == []
    assert deadlines.due(0, 10) == [b"a"]
    assert deadlines.due(0, 11) == [b"a"]
    deadlines.set(0, b"a", 20)
    assert deadlines.due(0, 11) == []
    deadlines.set(0, b"a", None)
    assert deadlines.due(0, 30) == []


def test_partitions_keep_their_own_time() -> None:
    deadlines = Deadlines()
    deadlines.rebuild(0, [(b"a", 5)])
    deadlines.rebuild(1, [(b"b", 7)])
    assert deadlines.due(0, 6) == [b"a"]
    assert deadlines.due(1, 6) == []
    deadlines.clear()
    assert deadlines.due(0, 6) == []


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.none() | st.integers(0, 20)), max_size=30))
def test_only_the_last_deadline_of_a_key_counts(moves: list[tuple[bytes, int | None]]) -> None:
    deadlines, last = Deadlines(), {}
    for key, when in moves:
        deadlines.set(3, key, when)
        last[key] = when
    assert sorted(deadlines.due(3, 10)) == sorted(key for key, when in last.items() if when is not None and when <= 10)
