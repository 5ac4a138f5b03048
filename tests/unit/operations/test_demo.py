"""The demo waits until nothing is left, and says what is not as it should be."""

from __future__ import annotations

import pytest

from streams.operations.demo import DemoReport, Found, _Twice
from tests.support.builders import record

OBJECT = Found.of(record(3))


def report(**parts) -> DemoReport:
    whole = {"objects": [OBJECT], "points": 1, "search": [], "dead_letters": 0, "topics": {}, "seconds": {}}
    return DemoReport(**whole | parts)


async def test_nothing_is_left_once_that_holds_twice_in_a_row():
    answers = iter([True, False, True, True])

    async def check() -> bool:
        return next(answers)

    twice = _Twice(check)
    assert [await twice() for _ in range(4)] == [False, False, False, True]


def test_a_demo_as_it_should_be_has_no_flaw():
    assert report().flaws == []


@pytest.mark.parametrize(
    ("parts", "flaw"),
    [
        ({"points": 2}, "1 objects, but 2 points"),
        ({"objects": [], "points": 0}, "no object was found in the video"),
        ({"dead_letters": 3}, "3 dead letters"),
    ],
)
def test_every_flaw_of_a_demo_is_named(parts, flaw):
    assert report(**parts).flaws == [flaw]
