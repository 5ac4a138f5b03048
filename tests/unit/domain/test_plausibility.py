"""Events that can be read and still cannot be true."""

from __future__ import annotations

import pytest

from streams.domain.errors import Poison
from streams.domain.plausibility import AHEAD, check_box, check_event, is_empty
from streams.domain.values import Box
from tests.support.builders import DAY, at, end, event, frame


@pytest.mark.parametrize("told", [event(1), event(1, box=None), end(2), event(1, frame_time=0, start_time=-DAY)])
def test_what_may_be_true_passes_also_a_time_long_ago(told) -> None:
    check_event(told, at(2))


def test_clocks_may_differ_by_a_day() -> None:
    check_event(event(1), at(1) - AHEAD)
    with pytest.raises(Poison, match=r"bad time: frame_time .* is more than a day later"):
        check_event(event(1), at(1) - AHEAD - 1)


@pytest.mark.parametrize("name", ["frame_time", "start_time", "end_time"])
def test_no_time_lies_in_the_far_future(name) -> None:
    with pytest.raises(Poison, match=f"bad time: {name} "):
        check_event(event(1, **{name: at(1) + 2 * DAY}), at(1))


def test_an_object_has_an_id() -> None:
    with pytest.raises(Poison, match="bad id"):
        check_event(event(1, object_id=""), at(1))


@pytest.mark.parametrize("box", [Box(0, 0, 1280, 720), Box(-50, -50, 1, 1), Box(1279, 719, 2000, 2000), None])
def test_a_box_needs_one_pixel_in_its_frame(box) -> None:
    check_box(box, frame())


@pytest.mark.parametrize(
    "box", [Box(1280, 0, 1300, 10), Box(0, 720, 10, 800), Box(-9, 5, 0, 9), Box(2**40, 0, 2**41, 9)]
)
def test_a_box_outside_its_frame_is_told_with_both(box) -> None:
    with pytest.raises(Poison, match=r"bad box: Box\(.*\) lies outside its frame of 1280 x 720 pixels"):
        check_box(box, frame())


@pytest.mark.parametrize(
    ("box", "empty"),
    [
        (Box(5, 5, 5, 9), True),
        (Box(5, 5, 9, 5), True),
        (Box(9, 9, 5, 5), True),
        (Box(5, 5, 6, 6), False),
        (None, False),
    ],
)
def test_a_box_without_a_pixel_is_empty_and_no_box_is_not(box, empty) -> None:
    assert is_empty(box) is empty
