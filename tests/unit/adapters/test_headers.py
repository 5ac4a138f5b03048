import string
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from streams.adapters.headers import cloud_event, passed_on
from streams.domain.messages import Event, ObjectRecord, Tombstone

EVENT = Event(
    object_id="1607123955.475377-mxklsc", camera="yard", label="person", frame_time=1_607_123_955_475_377, start_time=1
)


def headers_of(message=EVENT, *, topic="nvr-events", body=b"\0body"):
    return dict(cloud_event(message, topic=topic, source="nvr-streams/home/player", body=body))


def test_a_record_carries_the_attributes_that_cloudevents_requires():
    headers = headers_of()
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_type"] == b"nvr.streams.Event"
    assert headers["ce_source"] == b"nvr-streams/home/player"
    assert headers["ce_time"] == b"2020-12-04T23:19:15.475377Z"
    assert headers["content-type"] == b"application/avro"
    assert len(headers["ce_id"]) == 36


def test_the_same_record_published_again_keeps_its_id():
    assert headers_of()["ce_id"] == headers_of()["ce_id"]


def test_another_topic_key_or_body_makes_another_id():
    ids = {
        headers_of()["ce_id"],
        headers_of(topic="nvr-events-2")["ce_id"],
        headers_of(replace(EVENT, object_id="1607123955.475377-zzzzzz"))["ce_id"],
        headers_of(body=b"\0other")["ce_id"],
        headers_of(body=None)["ce_id"],
    }
    assert len(ids) == 5


def test_a_tombstone_says_what_is_deleted():
    headers = headers_of(Tombstone(of=ObjectRecord, name="a", at=0), body=None)
    assert headers["ce_type"] == b"nvr.streams.ObjectRecord.deleted"
    assert headers["ce_time"] == b"1970-01-01T00:00:00.000000Z"


@given(st.lists(st.tuples(st.text(string.ascii_lowercase, max_size=12), st.binary(max_size=8))))
def test_only_the_trace_context_is_passed_on(others):
    trace = [("traceparent", b"00-abc-def-01"), ("tracestate", b"vendor=1")]
    others = [header for header in others if header[0] not in {"traceparent", "tracestate"}]
    assert passed_on([*others, *trace]) == trace
