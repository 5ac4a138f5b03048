import cv2
import numpy as np
import pytest

from streams.files import shipped
from streams.sources.motion import MotionDetector
from tests.support.outlets import square_at


def look(*pictures):
    detector = MotionDetector()
    return [detector.look(picture) for picture in pictures]


def test_a_first_picture_moves_nothing_and_is_no_cut():
    (first,) = look(square_at(50))
    assert first.boxes == ()
    assert not first.cut


def test_a_still_scene_has_no_motion():
    assert all(not seen.boxes and not seen.cut for seen in look(*[square_at(50)] * 5))


def test_what_moves_is_boxed_where_it_was_and_where_it_is():
    (_, seen) = look(square_at(20), square_at(200))
    assert len(seen.boxes) == 2
    for box, x in zip(sorted(seen.boxes, key=lambda box: box.x1), (20, 200), strict=True):
        assert abs(box.x1 - x) <= 8
        assert abs(box.x2 - (x + 40)) <= 8
        assert abs(box.y1 - 100) <= 8
        assert abs(box.y2 - 140) <= 8
    assert not seen.cut


def test_boxes_stay_inside_the_picture():
    (_, seen) = look(square_at(None), square_at(280))
    assert all(0 <= box.x1 < box.x2 <= 320 and 0 <= box.y1 < box.y2 <= 240 for box in seen.boxes)
    assert seen.boxes


def test_a_new_thing_that_stays_becomes_background():
    *_, last = look(square_at(None), *[square_at(100)] * 40)
    assert last.boxes == ()


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 400), (400, 3)])
def test_tiny_and_narrow_pictures_are_no_trouble(width, height):
    picture = np.zeros((height, width, 3), np.uint8)
    assert len(look(picture, picture)) == 2


def test_the_cuts_of_the_sample_video_are_found_and_nothing_else():
    video = cv2.VideoCapture(str(shipped("infra", "demo", "bikes.mp4")))
    detector, cuts, number = MotionDetector(), [], 0
    while video.grab():
        if number % 5 == 0 and detector.look(video.retrieve()[1]).cut:
            cuts.append(number)
        number += 1
    video.release()
    assert cuts == [30, 80, 140, 190, 245]
