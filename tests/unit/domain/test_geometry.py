"""Regions, boxes and their areas."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.domain.geometry import (
    area,
    calculate_region,
    clip,
    from_relative,
    iou,
    relative,
    scaled_size,
)
from streams.domain.values import Box

FRAMES = st.tuples(st.integers(16, 3000), st.integers(16, 5000))
BOXES = st.builds(Box, *[st.integers(-50, 5000)] * 4)


@given(FRAMES, BOXES, st.floats(1.0, 3.0))
def test_a_region_is_a_square_that_stays_in_a_frame_large_enough(frame, box, multiplier) -> None:
    height, width = frame

    region = calculate_region(height, width, box, min_size=100, multiplier=multiplier)

    assert region.width == region.height >= 100
    assert region.width % 4 == 0
    assert region.x1 >= 0
    assert region.y1 >= 0
    assert region.x2 <= max(width, region.width)
    assert region.y2 <= max(height, region.height)


@given(FRAMES, st.data())
def test_a_region_of_a_box_in_the_frame_shows_the_whole_box(frame, data) -> None:
    height, width = frame
    x1, x2 = sorted(data.draw(st.tuples(st.integers(0, width), st.integers(0, width))))
    y1, y2 = sorted(data.draw(st.tuples(st.integers(0, height), st.integers(0, height))))
    box = Box(x1, y1, x2, y2)

    region = calculate_region(height, width, box, min_size=500, multiplier=1.4)

    assert region.x1 <= box.x1
    assert region.y1 <= box.y1
    assert region.x2 >= box.x2
    assert region.y2 >= box.y2


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        ((-5, -5, 10, 10), (0, 0, 10, 10)),
        ((90, 40, 200, 200), (90, 40, 100, 50)),
        ((10, 10, 20, 20), (10, 10, 20, 20)),
        ((100, 0, 120, 10), None),
        ((-20, 0, 0, 10), None),
        ((10, 10, 10, 20), None),
        ((20, 20, 10, 10), None),
    ],
)
def test_clipping_keeps_what_lies_in_the_frame(box, inside) -> None:
    assert clip(Box(*box), 100, 50) == (Box(*inside) if inside else None)


def test_an_area_is_width_times_height_and_none_for_a_reversed_box() -> None:
    assert area(Box(10, 20, 40, 60)) == 30 * 40
    assert area(Box(5, 5, 1, 1)) == 0


@pytest.mark.parametrize(
    ("other", "overlap"),
    [((0, 0, 10, 10), 1.0), ((5, 0, 15, 10), 1 / 3), ((10, 0, 20, 10), 0.0), ((2, 2, 4, 4), 0.04)],
)
def test_iou_is_shared_over_joint_area(other, overlap) -> None:
    assert iou(Box(0, 0, 10, 10), Box(*other)) == pytest.approx(overlap)


def test_iou_of_boxes_without_area_is_zero() -> None:
    assert iou(Box(1, 1, 1, 1), Box(1, 1, 1, 1)) == 0.0


def test_relative_boxes_are_shares_of_the_frame() -> None:
    assert relative(Box(260, 446, 660, 846), 1280, 720) == pytest.approx((0.203125, 446 / 720, 0.3125, 400 / 720))


def test_a_relative_box_is_cut_off_to_whole_pixels() -> None:
    crop = from_relative(0.203125, 0.6194, 0.3125, 0.5556, frame_width=1280, frame_height=720)

    assert crop == Box(260, 445, 660, 845)


def test_the_whole_frame_is_the_default_region_of_a_snapshot() -> None:
    assert from_relative(0, 0, 1, 1, frame_width=640, frame_height=360) == Box(0, 0, 640, 360)


def test_a_thin_crop_keeps_a_pixel_of_width() -> None:
    assert scaled_size(1, 1000, to_height=500) == (1, 500)
