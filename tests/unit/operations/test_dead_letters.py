"""A dead letter tells who could not process which record, and why; the record itself stays as it was."""

from __future__ import annotations

import pytest

from streams.operations.dead_letters import Wanted, letter
from streams.operations.reading import Record
from streams.runtime.records import Incoming, dead_letter

VALUE = b"\x00\x00\x00\x00\x07rubbish\xff"


def buried(*, agent="track", reason="undecodable", time=1_000, headers=()) -> Record:
    """A record as the runtime writes it, as it lies in the topic afterwards."""
    incoming = Incoming("nvr-events", 2, 17, b"id\xff", VALUE, headers, time)
    out = dead_letter(incoming, topic="nvr-dead-letters", agent=agent, reason=reason, error=ValueError("byte 5"))
    return Record(
        topic=out.topic, partition=1, offset=4, time=out.time, key=out.key, value=out.value, headers=out.headers
    )


def test_it_tells_all_that_the_runtime_wrote():
    told = letter(buried())
    assert (told.id, told.agent, told.reason, told.message) == ("1-4", "track", "undecodable", "byte 5")
    assert (told.topic, told.partition, told.offset, told.time) == ("nvr-events", 2, 17, 1_000)
    assert told.attempt == 1
    assert "ValueError: byte 5" in told.traceback


def test_key_value_and_headers_are_the_original_ones():
    own = (("ce_id", b"1"), ("ce_id", b"2"), ("odd", b"\xff"))
    told = letter(buried(headers=own))
    assert (told.key, told.value, told.headers) == (b"id\xff", VALUE, own)


def test_what_somebody_else_wrote_there_is_told_as_far_as_it_goes():
    told = letter(
        Record(topic="t", partition=0, offset=0, time=0, key=None, value=None, headers=(("dlt.offset", b"many"),))
    )
    assert (told.agent, told.offset, told.attempt) == ("", -1, -1)


@pytest.mark.parametrize(
    ("wanted", "admitted"),
    [
        (Wanted(), True),
        (Wanted(agent="track"), True),
        (Wanted(agent="settle"), False),
        (Wanted(reason="undecodable"), True),
        (Wanted(reason="bug"), False),
        (Wanted(after=1_000), True),
        (Wanted(after=1_001), False),
        (Wanted(before=1_000), False),
        (Wanted(before=1_001), True),
        (Wanted(agent="track", reason="bug"), False),
    ],
)
def test_filters_are_by_agent_reason_and_time_the_end_excluded(wanted, admitted):
    assert wanted.admits(letter(buried())) is admitted
