"""Dead letters: the record untouched, and beside it everything that is known about the failure."""

from __future__ import annotations

import pytest

from streams.domain.errors import Poison
from streams.runtime.records import (
    MESSAGE_CHARACTERS,
    TRACEBACK_CHARACTERS,
    Headers,
    Incoming,
    attempt_of,
    dead_letter,
    is_for_another,
)

RECORD = Incoming(
    "nvr-events", 3, 17, b"\xffkey", b"\x00\x01value", (("twice", b"1"), ("twice", b"2")), 1_764_000_000_000
)


def buried(record: Incoming = RECORD, error: Exception | None = None) -> tuple[Headers, dict[str, str]]:
    cause = error or Poison("undecodable", "no magic")
    letter = dead_letter(record, topic="nvr-dead-letters", agent="track", reason="undecodable", error=cause)
    assert (letter.topic, letter.key, letter.value, letter.time) == (
        "nvr-dead-letters",
        record.key,
        record.value,
        record.time,
    )
    return letter.headers, {name: value.decode() for name, value in letter.headers}


def test_repeated_headers_stay_in_their_order() -> None:
    headers, _ = buried()
    assert headers[:2] == RECORD.headers


def test_the_cause_is_complete() -> None:
    _, said = buried()
    assert said.pop("dlt.traceback").startswith("streams.domain.errors.Poison: undecodable")
    assert {name: text for name, text in said.items() if name.startswith("dlt.")} == {
        "dlt.topic": "nvr-events",
        "dlt.partition": "3",
        "dlt.offset": "17",
        "dlt.timestamp": "1764000000000",
        "dlt.agent": "track",
        "dlt.reason": "undecodable",
        "dlt.message": "undecodable: no magic",
        "dlt.attempt": "1",
    }


def test_what_was_said_about_an_earlier_attempt_is_replaced() -> None:
    earlier = (("mine", b"kept"), ("dlt.attempt", b"4"), ("dlt.reason", b"bug"), ("dlt.agent", b"settle"))
    headers, said = buried(Incoming("nvr-events", 0, 0, None, None, earlier, 0))
    assert [name for name, _ in headers].count("dlt.reason") == 1
    assert (said["mine"], said["dlt.attempt"], said["dlt.agent"]) == ("kept", "5", "track")


def test_the_words_about_a_failure_are_bounded() -> None:
    _, said = buried(error=ValueError("x" * 100_000))
    assert len(said["dlt.message"]) == MESSAGE_CHARACTERS
    assert len(said["dlt.traceback"]) == TRACEBACK_CHARACTERS


@pytest.mark.parametrize(
    ("headers", "attempt"),
    [((), 1), ((("dlt.attempt", b"1"),), 2), ((("dlt.attempt", b"-3"),), 1), ((("dlt.attempt", b"soon"),), 1)],
)
def test_an_attempt_is_counted_on_where_it_is_a_number(headers: Headers, attempt: int) -> None:
    assert attempt_of(headers) == attempt


@pytest.mark.parametrize(
    ("headers", "passed_over"),
    [
        ((), False),
        ((("dlt.agent", b"settle"),), False),
        ((("dlt.agent", b"track"), ("dlt.replay", b"x-0-0")), False),
        ((("dlt.agent", b"settle"), ("dlt.replay", b"x-0-0")), True),
        ((("dlt.replay", b"x-0-0"),), True),
    ],
)
def test_only_what_is_replayed_for_another_agent_is_passed_over(headers: Headers, *, passed_over: bool) -> None:
    assert is_for_another(headers, "track") is passed_over
