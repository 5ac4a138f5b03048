"""Messages as JSON for people: valid JSON, whatever is in them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import inf, nan
from pathlib import Path

from streams.adapters.rendering import iso, line, plain
from streams.domain.messages import Document
from streams.domain.values import Instant, Vector
from tests.support.builders import START, facts, record


@dataclass(frozen=True)
class Sample:
    at: Instant
    until: Instant | None
    number: int
    odd: object = None


def test_times_are_iso_8601_in_utc():
    assert iso(1_764_000_000_123_456) == "2025-11-24T16:00:00.123456Z"
    assert iso(0) == "1970-01-01T00:00:00Z"


def test_times_beyond_the_calendar_stay_numbers():
    assert iso(2**62) == str(2**62)


def test_only_fields_that_are_points_in_time_become_dates():
    assert plain(Sample(0, None, 5)) == {"at": "1970-01-01T00:00:00Z", "until": None, "number": 5, "odd": None}


def test_enums_are_their_symbols_and_tuples_lists():
    told = plain(record(3))
    assert isinstance(told, dict)
    assert told["outcome"] == "done"
    assert told["facts"]["start_time"] == iso(START)
    assert told["facts"]["zones"] == list(facts().zones)


def test_bytes_are_base_64():
    vector = Vector(values=b"\x00\x01", dim=1, model="mini")
    told = json.loads(line(Document(record=record(3), thumbnail=vector)))
    assert told["thumbnail"] == {"values": "AAE=", "dim": 1, "model": "mini"}


def test_numbers_that_json_does_not_know_are_text():
    assert json.loads(line({"a": nan, "b": inf, "c": 1.5})) == {"a": "nan", "b": "inf", "c": 1.5}


def test_anything_else_is_its_text():
    assert plain(Sample(0, 0, 1, Path("var/store")))["odd"] == "var/store"


def test_a_line_is_one_line():
    assert "\n" not in line({"text": "two\nlines", "wide": "größe"})
