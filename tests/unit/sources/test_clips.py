import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.domain.errors import Poison
from streams.sources.clips import played_size, sample, slide_show

PIXEL = np.zeros((2, 2, 3), np.uint8)


def times(fps, *, of):
    return [round(seconds, 3) for seconds, _ in sample(((time, PIXEL) for time in of), fps)]


def test_a_video_of_25_frames_per_second_is_looked_at_five_times_a_second():
    assert times(5, of=[number / 25 for number in range(25)]) == [0, 0.2, 0.4, 0.6, 0.8]


def test_a_slow_video_is_looked_at_frame_by_frame():
    assert times(5, of=[0, 0.5, 1.0]) == [0, 0.5, 1.0]


def test_odd_frame_rates_keep_the_pace_on_average():
    assert len(times(5, of=[number / 29.97 for number in range(2997)])) == pytest.approx(500, abs=3)


def test_after_a_gap_no_burst_follows():
    assert times(5, of=[0, 10, 10.04, 10.08, 10.12, 10.16, 10.2]) == [0, 10, 10.2]


@given(st.lists(st.floats(0, 100), max_size=50).map(sorted), st.integers(1, 30))
def test_never_more_frames_than_asked_for(of, fps):
    taken = times(fps, of=of)
    assert set(taken) <= {round(time, 3) for time in of}
    assert all(len([t for t in taken if start <= t < start + 0.999]) <= fps + 1 for start in taken)


def test_large_frames_are_made_smaller_and_small_ones_are_left():
    assert played_size(np.zeros((2160, 3840, 3), np.uint8)) == (1280, 720)
    assert played_size(np.zeros((3840, 2160, 3), np.uint8)) == (720, 1280)
    small = np.zeros((720, 1280, 3), np.uint8)
    ((_, played),) = sample([(0, small)], 5)
    assert played is small


def test_all_frames_are_played_in_the_size_of_the_first():
    shapes = [(1080, 1920, 3), (240, 320, 3), (1920, 1080, 3)]
    played = sample(((second, np.zeros(shape, np.uint8)) for second, shape in enumerate(shapes)), 5)
    assert [picture.shape for _, picture in played] == [(720, 1280, 3)] * 3


def test_pictures_become_frames_in_their_order(tmp_path):
    files = [tmp_path / f"{number}.png" for number in range(3)]
    for number, file in enumerate(files):
        cv2.imwrite(str(file), np.full((20, 30, 3), number, np.uint8))
    frames = list(slide_show(files, fps=2))
    assert [seconds for seconds, _ in frames] == [0, 0.5, 1]
    assert [(picture.shape, picture[0, 0, 0]) for _, picture in frames] == [((20, 30, 3), n) for n in range(3)]


def test_a_file_that_is_no_picture_is_named(tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_text("no picture")
    with pytest.raises(Poison, match=r"bad picture: .*bad\.jpg"):
        list(slide_show([bad], fps=5))
