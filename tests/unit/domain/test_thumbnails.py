from dataclasses import replace

import pytest

from streams.domain.geometry import clip, scaled_size
from streams.domain.thumbnails import THUMBNAIL_HEIGHT, best_shot, frame_of, retain, thumbnail_name, thumbnail_region
from streams.domain.values import Attribute, BestFrame, Box, FrameRef
from tests.support.builders import OBJECT, at, event, frame, picture

VECTORS = [
    # frame height and width, box, region, crop height and width, thumbnail width and height
    ((720, 1280), (600, 300, 680, 420), (390, 110, 890, 610), (500, 500), (500, 500)),
    ((720, 1280), (601, 301, 680, 420), (390, 110, 890, 610), (500, 500), (500, 500)),
    ((720, 1280), (0, 0, 50, 80), (0, 0, 500, 500), (500, 500), (500, 500)),
    ((720, 1280), (1200, 600, 1279, 719), (780, 220, 1280, 720), (500, 500), (500, 500)),
    ((720, 1280), (100, 50, 900, 700), (0, 0, 1120, 1120), (720, 1120), (777, 500)),
    ((1080, 1920), (400, 200, 1200, 1000), (240, 0, 1360, 1120), (1080, 1120), (518, 500)),
    ((480, 640), (100, 100, 200, 300), (0, 0, 500, 500), (480, 500), (520, 500)),
    ((360, 640), (100, 100, 200, 300), (0, 0, 500, 500), (360, 500), (694, 500)),
]
"""Computed independently of this code."""

FAR, NEAR = Box(600, 300, 660, 400), Box(500, 200, 700, 600)


def test_the_first_thumbnail_is_kept_for_ever_and_then_the_newest_nine():
    kept: tuple[FrameRef, ...] = ()
    for ordinal in range(1, 14):
        kept = retain(kept, picture(str(ordinal), ordinal))
    assert [round((each.time - at(0)) / 1e6) for each in kept] == [1, 5, 6, 7, 8, 9, 10, 11, 12, 13]


def test_a_frame_of_another_time_is_no_frame_of_the_event():
    assert frame_of(event(3)) == frame(3)
    assert frame_of(event(3, frame=frame(2))) is None
    assert frame_of(event(3, frame=None)) is None


@pytest.mark.parametrize(("size", "box", "region", "crop", "thumbnail"), VECTORS)
def test_regions_crops_and_thumbnails_are_those_of_frigate(size, box, region, crop, thumbnail):
    height, width = size
    found = thumbnail_region(Box(*box), frame(1, width=width, height=height))
    inside = clip(found, width, height)
    assert found == Box(*region)
    assert (inside.height, inside.width) == crop
    assert scaled_size(inside.width, inside.height, to_height=THUMBNAIL_HEIGHT) == thumbnail


def test_without_a_box_the_whole_frame_is_shown():
    assert thumbnail_region(None, frame(1)) == Box(0, 0, 1280, 720)


def test_a_picture_is_named_after_its_object_and_the_time_of_its_frame():
    assert thumbnail_name(event(1.5)) == f"objects/{OBJECT}/thumb-1764000001500000.jpg"


def chosen(*events) -> list[float]:
    """The frame times, in seconds, of the best shot after each event."""
    best, times = None, []
    for each in events:
        best = best_shot(best, each, picture("cut"))
        times.append((best.look.frame_time - at(0)) / 1e6)
    return times


def test_the_first_picture_is_the_best_so_far():
    assert chosen(event(1)) == [1]


def test_a_clearly_higher_score_makes_a_better_picture():
    assert chosen(event(1, score=0.80), event(2, score=0.85), event(3, score=0.86)) == [1, 1, 3]


def test_a_clearly_larger_object_makes_a_better_picture():
    assert chosen(event(1, box=FAR, area=6_000), event(2, box=NEAR, area=80_000)) == [1, 2]


def test_an_object_at_the_edge_makes_no_better_picture_than_a_whole_one():
    assert chosen(event(1, box=FAR, area=6_000), event(2, box=replace(NEAR, x1=0), area=200_000)) == [1, 1]


def test_a_face_decides_about_a_person():
    face = Attribute(label="face", score=0.7, box=Box(620, 310, 640, 330))
    larger = replace(face, box=Box(620, 310, 650, 340))
    with_face = event(2, score=0.5, current_attributes=(face,))
    without = event(3, score=0.99)
    with_larger = event(4, score=0.4, current_attributes=(larger,))
    assert chosen(event(1), with_face, without, with_larger) == [1, 2, 2, 4]


def test_the_frame_that_upstream_calls_the_best_is_the_best():
    best = BestFrame(frame_time=at(2), box=FAR, area=6_000, score=0.3)
    named = event(2, score=0.3, best=best)
    after = event(3, score=0.99, best=best)
    assert chosen(event(1, score=0.9), named, after) == [1, 2, 2]


def test_where_upstreams_best_frame_was_never_cut_the_rule_decides():
    never_cut = BestFrame(frame_time=at(0.5), box=FAR, area=6_000, score=0.99)
    assert chosen(event(1, score=0.7, best=never_cut), event(2, score=0.9, best=never_cut)) == [1, 2]


def test_a_box_without_area_counts_by_its_pixels():
    assert best_shot(None, event(1, box=Box(0, 0, 30, 20), area=0), picture("cut")).look.area == 600
