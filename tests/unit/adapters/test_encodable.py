"""What plain Avro code does to real values, done right: numpy is taken, nonsense is refused by the field's name."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.adapters.avro import AvroForm
from streams.adapters.schema_files import SchemaFiles
from streams.domain.errors import Poison
from streams.domain.messages import Event, ObjectRecord, Sighting
from streams.domain.values import Attribute, Box, PathPoint
from tests.support.builders import event, record, sighting

FILES = SchemaFiles()
EVENT = FILES.frozen("events-value")[-1]
SIGHTING = FILES.frozen("sightings-value")[-1]
OBJECTS = FILES.frozen("objects-value")[-1]


def written_and_read(**parts: Any) -> Event:
    """An event with these parts, after a journey over the wire."""
    form = AvroForm(Event, EVENT)
    return form.reader(EVENT)(form.body(event(**parts)))


def refusal(**parts: Any) -> str:
    with pytest.raises(Poison) as caught:
        AvroForm(Event, EVENT).body(event(**parts))
    assert caught.value.reason == "unencodable"
    return caught.value.detail


class TestNumpyValues:
    @pytest.mark.parametrize("number", [np.int64(7), np.int32(7), np.uint8(7), np.array(7)])
    def test_whole_numbers_are_taken(self, number: Any) -> None:
        assert written_and_read(area=number).area == 7

    @pytest.mark.parametrize("number", [np.float64(0.5), np.float32(0.5), np.float16(0.5), np.array(0.5), 0.5])
    def test_fractions_are_taken_also_in_nullable_fields(self, number: Any) -> None:
        read = written_and_read(score=number, sub_label_score=number)
        assert (read.score, read.sub_label_score) == (0.5, 0.5)

    @pytest.mark.parametrize("number", [1, np.int64(1), np.array(1)])
    def test_whole_numbers_are_taken_for_fractions(self, number: Any) -> None:
        read = written_and_read(score=number, sub_label_score=number)
        assert (read.score, read.sub_label_score) == (1.0, 1.0)

    @pytest.mark.parametrize("truth", [np.bool_(True), np.array(True), True])
    def test_truth_values_are_taken(self, truth: Any) -> None:
        assert written_and_read(stationary=truth).stationary is True

    def test_scalars_are_taken_inside_nullable_records(self) -> None:
        box = Box(*np.array([1, 2, 3, 4]))
        read = written_and_read(box=box, frame_time=np.int64(5))
        assert (read.box, read.frame_time) == (Box(1, 2, 3, 4), 5)

    def test_scalars_are_taken_inside_arrays_and_maps(self) -> None:
        point = PathPoint(np.float32(0.25), np.float64(0.75), np.int64(9))
        read = written_and_read(path_data=[point], attributes={"face": np.float32(0.5)})
        assert read.path_data == (PathPoint(0.25, 0.75, 9),)
        assert read.attributes == {"face": 0.5}

    def test_strings_are_taken(self) -> None:
        assert written_and_read(label=np.str_("dog"), sub_label=np.str_("Rex")).sub_label == "Rex"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    numbers: object
    perhaps: object


class TestArrays:
    SCHEMA = """{"type": "record", "name": "Sample", "fields": [
        {"name": "numbers", "type": {"type": "array", "items": "double"}},
        {"name": "perhaps", "type": ["null", {"type": "array", "items": "int"}]}]}"""

    @pytest.mark.parametrize("empty", [(), [], np.array([])])
    def test_may_be_empty(self, empty: Any) -> None:
        form = AvroForm(Sample, self.SCHEMA)
        assert form.reader(self.SCHEMA)(form.body(Sample(numbers=empty, perhaps=None))).numbers == []

    def test_of_numpy_are_taken_also_in_nullable_fields(self) -> None:
        form = AvroForm(Sample, self.SCHEMA)
        body = form.body(Sample(numbers=np.array([0.5, 1.5], np.float32), perhaps=np.array([1, 2])))
        assert form.reader(self.SCHEMA)(body) == Sample(numbers=[0.5, 1.5], perhaps=[1, 2])

    @pytest.mark.parametrize("wrong", [np.zeros((2, 2)), "text", 3, None, np.array([1.0, np.nan]), {"a": 1}])
    def test_of_other_shapes_and_with_nonsense_are_refused(self, wrong: Any) -> None:
        with pytest.raises(Poison, match="unencodable: numbers"):
            AvroForm(Sample, self.SCHEMA).body(Sample(numbers=wrong, perhaps=None))


class TestNonsenseIsRefusedByName:
    @pytest.mark.parametrize(
        "score", [math.nan, math.inf, -math.inf, np.float32("nan"), np.array(np.inf), 10**400, "0.5", True, None]
    )
    def test_a_score_that_is_no_finite_number(self, score: Any) -> None:
        assert refusal(score=score) == f"score: {score!s:.80}, expected a finite double"

    @pytest.mark.parametrize("area", [2**31, -(2**31) - 1, np.int64(2**31), 0.5, np.float64(3.0), True, "7", None])
    def test_a_whole_number_that_does_not_fit(self, area: Any) -> None:
        assert refusal(area=area) == f"area: {area!s:.80}, expected an integer that fits int"

    @pytest.mark.parametrize("time", [2**63, 2**63 - 1, 253_402_300_800_000_000, -62_135_596_800_000_001, 0.5])
    def test_a_time_that_no_calendar_has(self, time: Any) -> None:
        """Deserializers that make dates of times would fail on it."""
        assert refusal(frame_time=time) == f"frame_time: {time}, expected a time (µs) between the years 1 and 9999"
        assert refusal(end_time=time).startswith("end_time: ")

    def test_the_largest_numbers_still_fit(self) -> None:
        read = written_and_read(area=2**31 - 1, frame_time=253_402_300_799_999_999, start_time=-62_135_596_800_000_000)
        assert (read.area, read.frame_time) == (2**31 - 1, 253_402_300_799_999_999)
        body = AvroForm(ObjectRecord, OBJECTS).body(record(revision=2**63 - 1))
        assert AvroForm(ObjectRecord, OBJECTS).reader(OBJECTS)(body).revision == 2**63 - 1

    def test_a_value_deep_inside_is_named_by_its_path(self) -> None:
        face = Attribute(label="face", score=math.nan, box=Box(0, 0, 1, 1))
        assert refusal(current_attributes=(face,)).startswith("current_attributes[].score: nan")
        assert refusal(attributes={"face": math.nan}).startswith("attributes{}: nan")
        broken = replace(sighting(), facts=replace(sighting().facts, top_score=math.inf))
        with pytest.raises(Poison, match=r"facts\.top_score: inf, expected a finite double"):
            AvroForm(Sighting, SIGHTING).body(broken)

    @pytest.mark.parametrize(
        ("parts", "detail"),
        [
            ({"label": None}, "label: None, expected a Unicode string"),
            ({"label": 7}, "label: 7, expected a Unicode string"),
            ({"sub_label": b"Rex"}, "sub_label: b'Rex', expected a Unicode string"),
            ({"phase": "middle"}, "phase: middle, expected one of start, update, end"),
            ({"stationary": 1}, "stationary: 1, expected a boolean"),
            ({"attributes": [1]}, "attributes: [1], expected a dictionary"),
            ({"attributes": {1: 0.5}}, "attributes key: 1, expected a Unicode string"),
            ({"box": (1, 2, 3, 4)}, "box: (1, 2, 3, 4), expected a nvr.streams.Box"),
        ],
    )
    def test_a_value_of_another_type(self, parts: dict[str, Any], detail: str) -> None:
        assert refusal(**parts) == detail

    def test_half_a_character(self) -> None:
        assert "expected a Unicode string" in refusal(label="\ud800")

    def test_a_message_that_is_none(self) -> None:
        with pytest.raises(Poison, match="unencodable: message"):
            AvroForm(Event, EVENT).body("no event")  # type: ignore[arg-type]


def test_every_field_of_the_class_is_written() -> None:
    """A field that the schema lacks would be dropped without a word by plain Avro code."""
    wrong = object()
    for field in fields(Event):
        with pytest.raises(Poison, match=rf"unencodable: {field.name}"):
            AvroForm(Event, EVENT).body(event(**{field.name: wrong}))


@given(score=st.floats(), area=st.integers(-(2**40), 2**40), label=st.text())
def test_whatever_is_written_is_read_as_it_was(score: float, area: int, label: str) -> None:
    form = AvroForm(Event, EVENT)
    told = event(score=score, area=area, label=label)
    fits = math.isfinite(score) and -(2**31) <= area < 2**31
    try:
        assert form.reader(EVENT)(form.body(told)) == told
        assert fits
    except Poison:
        assert not fits


@pytest.mark.parametrize(
    "schema", ['["null", "int", "string"]', '"float"', '{"type": "fixed", "name": "F", "size": 4}']
)
def test_schemas_of_forms_that_nobody_uses_are_refused_at_once(schema: str) -> None:
    record = f'{{"type": "record", "name": "R", "fields": [{{"name": "f", "type": {schema}}}]}}'
    with pytest.raises(TypeError, match="f: no support for the schema"):
        AvroForm(Sample, record)
