"""A dead letter is settled once: its record goes back for its own agent, or it is given up, and it is open no more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.domain.errors import Outage
from streams.operations.dead_letter_settling import mark, obstacles, outdated, replayed, settle
from streams.operations.dead_letters import DeadLetter, Fate, Wanted, choose_letters, find_letter, list_letters
from streams.operations.reading import Record, whole
from streams.runtime.records import Incoming, dead_letter, is_for_another
from streams.settings import Kafka, Settings
from tests.support.mock_broker import mock_broker

TIME_MS = 1_700_000_000_000
LETTER = DeadLetter(
    id="1-4",
    time=TIME_MS * 1000,
    agent="track",
    reason="bug",
    message="bug: oops",
    topic="nvr-events",
    partition=2,
    offset=17,
    attempt=3,
    traceback="",
    key=b"k\xff",
    value=b"\x00rubbish",
    headers=(("ce_id", b"1"), ("ce_id", b"2")),
)


@pytest.fixture
def broker():
    with mock_broker() as running:
        running.put("nvr-events", b"other", b"before")
        running.put("nvr-objects", b"other", b"before")
        yield running


@pytest.fixture
def settings(broker):
    return Settings(kafka=Kafka(bootstrap=broker.bootstrap, prefix="nvr"))


def bury(broker, offset: int = 17, *, agent="track", topic="nvr-events", key=b"k", partition=2, headers=()) -> None:
    """As the runtime does it."""
    record = Incoming(topic, partition, offset, key, b"value %d" % offset, headers, TIME_MS * 1000)
    out = dead_letter(record, topic="nvr-dead-letters", agent=agent, reason="bug", error=ValueError("byte 5"))
    broker.put(out.topic, out.key, out.value, headers=dict(out.headers), time_ms=TIME_MS)


def lying(offset: int, value: bytes, *, partition: int = 2, key: bytes = b"k\xff") -> Record:
    return Record(topic="t", partition=partition, offset=offset, time=0, key=key, value=value, headers=())


def out_of_reach(settings: Settings) -> Settings:
    return settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"bootstrap": "127.0.0.1:9"})})


# ---- the records that are written


def test_the_original_goes_back_to_its_place_and_says_for_whom_and_how_often_it_was_tried():
    put = replayed(LETTER, "nvr-dead-letters")
    assert (put.topic, put.partition, put.key, put.value) == ("nvr-events", 2, b"k\xff", b"\x00rubbish")
    assert put.time_ms == TIME_MS
    assert put.headers == (
        *LETTER.headers,
        ("dlt.agent", b"track"),
        ("dlt.attempt", b"3"),
        ("dlt.replay", b"nvr-dead-letters-1-4"),
    )


def test_a_record_without_a_time_goes_back_with_the_present_one():
    assert replayed(replace(LETTER, time=-1000), "nvr-dead-letters").time_ms == 0


def test_only_its_own_agent_takes_a_replayed_record():
    headers = replayed(LETTER, "nvr-dead-letters").headers
    assert not is_for_another(headers, "track")
    assert is_for_another(headers, "settle")


def test_what_fails_again_is_a_dead_letter_of_the_next_attempt_without_the_traces_of_the_replay():
    record = Incoming("nvr-events", 2, 30, b"k", b"", replayed(LETTER, "nvr-dead-letters").headers, 0)
    told = dict(dead_letter(record, topic="t", agent="track", reason="bug", error=ValueError()).headers)
    assert told["dlt.attempt"] == b"4"
    assert "dlt.replay" not in told


@pytest.mark.parametrize("fate", Fate)
def test_a_mark_lies_behind_its_dead_letter_in_the_same_partition(fate):
    put = mark(LETTER, "nvr-dead-letters", fate)
    assert (put.topic, put.partition, put.key, put.value) == ("nvr-dead-letters", 1, b"k\xff", None)
    assert put.headers == (("dlt.settled", b"nvr-dead-letters-1-4"), ("dlt.how", fate.value.encode()))


# ---- what cannot be replayed


@pytest.mark.parametrize(
    ("record", "is_outdated"),
    [
        (lying(17, b"\x00rubbish"), False),
        (lying(18, b"newer"), True),
        (lying(18, b"\x00rubbish"), False),
        (lying(18, b"newer", partition=3), False),
        (lying(18, b"newer", key=b"other"), False),
        (lying(5, b"older"), False),
    ],
)
def test_a_letter_is_outdated_once_other_content_follows_under_its_key(record, is_outdated):
    assert outdated([LETTER], [record]) == ([LETTER.id] if is_outdated else [])


def test_a_letter_is_told_apart_from_what_can_be_put_back(settings):
    expired = replace(LETTER, id="0-1", topic="nvr-track-state-changelog", offset=-1)
    gone = replace(LETTER, id="0-2", agent="trak")
    nobodys = replace(LETTER, id="0-3", agent="", topic="")
    found = obstacles(settings, [LETTER, expired, gone, nobodys])
    assert found.keys() == {"0-1", "0-2", "0-3"}
    assert "a deadline" in found["0-1"]
    assert found["0-2"] == "no agent trak reads nvr-events"


def test_nothing_newer_is_lost_on_a_compacted_topic(broker, settings):
    old, other = (replace(LETTER, agent="sweep", topic="nvr-objects", id=id_, key=id_.encode()) for id_ in "ab")
    broker.put("nvr-objects", b"a", b"newer")
    ((partition, offset),) = ((r.partition, r.offset) for r in whole(settings.kafka, "nvr-objects") if r.key == b"a")
    old = replace(old, partition=partition, offset=offset - 1)
    assert list(obstacles(settings, [old, other])) == ["a"]


# ---- the whole way


@pytest.mark.parametrize("fate", Fate)
def test_a_settled_letter_is_open_no_more_and_can_still_be_seen(broker, settings, fate):
    bury(broker)
    bury(broker, 18, key=b"another")
    (first, second) = choose_letters(settings, Wanted())
    settle(settings, [first], fate)
    assert choose_letters(settings, Wanted()) == [second]
    assert choose_letters(settings, Wanted(ids=frozenset({first.id}))) == []
    assert list_letters(settings, Wanted()) == [second]
    everything = list_letters(settings, Wanted(settled=True))
    assert {letter.id: letter.settled for letter in everything} == {first.id: fate, second.id: None}
    assert find_letter(settings, first.id).settled is fate


def test_a_replay_writes_every_record_once_in_the_order_in_which_they_lay(broker, settings):
    for offset in (21, 17, 19):
        bury(broker, offset, headers=(("mine", b"kept"),))
    settle(settings, choose_letters(settings, Wanted()), Fate.REPLAYED)
    settle(settings, choose_letters(settings, Wanted()), Fate.REPLAYED)
    written = [record for record in whole(settings.kafka, "nvr-events") if record.key == b"k"]
    assert [record.value for record in written] == [b"value 17", b"value 19", b"value 21"]
    assert {(record.partition, record.time) for record in written} == {(2, TIME_MS * 1000)}
    assert all(("mine", b"kept") in record.headers for record in written)


def test_what_cannot_be_put_back_is_told_and_stays_open_and_its_neighbours_are_settled(broker, settings):
    bury(broker, 17)
    bury(broker, 18, partition=99)
    bury(broker, 19)
    impossible = choose_letters(settings, Wanted())[-1]
    with pytest.raises(Outage, match=f"kafka: not acknowledged: 1, the first for dead letter {impossible.id}: "):
        settle(settings, choose_letters(settings, Wanted()), Fate.REPLAYED)
    assert choose_letters(settings, Wanted()) == [impossible]
    assert [record.value for record in whole(settings.kafka, "nvr-events")][-2:] == [b"value 17", b"value 19"]


def test_a_broker_that_went_away_is_an_outage(settings, monkeypatch):
    monkeypatch.setattr("streams.operations.dead_letter_settling.PATIENCE_SECONDS", 0.3)
    with pytest.raises(Outage, match="not acknowledged: 1, the first for dead letter 1-4"):
        settle(out_of_reach(settings), [LETTER], Fate.REPLAYED)


def test_to_discard_writes_nothing_on_the_original_topic(broker, settings):
    bury(broker)
    settle(settings, choose_letters(settings, Wanted()), Fate.DISCARDED)
    assert [record.key for record in whole(settings.kafka, "nvr-events")] == [b"other"]


def test_an_id_that_no_letter_has_is_told(broker, settings):
    bury(broker)
    with pytest.raises(LookupError, match="no dead letter 9-9"):
        choose_letters(settings, Wanted(ids=frozenset({"9-9"})))


def test_a_mark_of_a_letter_that_is_not_there_any_more_is_passed_over(broker, settings):
    headers = {"dlt.settled": b"nvr-dead-letters-3-99", "dlt.how": b"replayed"}
    broker.put("nvr-dead-letters", b"k", None, headers=headers)
    assert list_letters(settings, Wanted(settled=True)) == []


def test_a_mark_of_a_newer_release_counts_as_well(broker, settings):
    bury(broker)
    (letter,) = choose_letters(settings, Wanted())
    headers = {"dlt.settled": f"nvr-dead-letters-{letter.id}".encode(), "dlt.how": b"mended"}
    broker.put("nvr-dead-letters", b"k", None, headers=headers)
    assert choose_letters(settings, Wanted()) == []
