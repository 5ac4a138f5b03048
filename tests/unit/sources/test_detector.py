import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.domain.values import Box
from streams.files import shipped
from streams.sources import ssd
from streams.sources.detector import Detector, merge, regions
from streams.sources.found import Found

WHOLE = Box(0, 0, 640, 272)
LEFT, RIGHT = Box(0, 0, 408, 272), Box(232, 0, 640, 272)


def thing(box, score=0.5, label="car"):
    return Found(label=label, score=score, box=box, region=WHOLE)


class ScriptedNetwork:
    """Answers each region with one car that fills the given share of it."""

    def __init__(self, *shares):
        self.shares, self.shape = shares, None

    async def __call__(self, pictures):
        self.shape = pictures.shape
        encodings = np.zeros((len(pictures), 1917, 4), np.float32)
        logits = np.full((len(pictures), 1917, 24), -10, np.float32)
        anchor = ssd.anchors()[1916]
        for place, share in enumerate(self.shares):
            if share is None:
                continue
            x1, y1, x2, y2 = share
            centre = (np.array([(x1 + x2) / 2, (y1 + y2) / 2]) - anchor[:2]) / anchor[2:] * 10
            size = 5 * np.log(np.array([x2 - x1, y2 - y1]) / anchor[2:])
            encodings[place, 1916] = [centre[1], centre[0], size[1], size[0]]
            logits[place, 1916, ssd.LABELS.index("car")] = 2
        return encodings, logits


async def cars(*shares, width=640, height=272, least=None):
    detector = Detector(network=ScriptedNetwork(*shares), least=least or {"car": 0.3})
    return await detector.detect(np.zeros((height, width, 3), np.uint8))


# ---- regions


def test_a_wide_frame_is_looked_at_as_a_whole_and_in_overlapping_windows():
    assert regions(640, 272) == (WHOLE, LEFT, RIGHT)


def test_a_tall_frame_has_its_windows_one_below_the_other():
    assert regions(272, 640) == (Box(0, 0, 272, 640), Box(0, 0, 272, 408), Box(0, 232, 272, 640))


def test_a_frame_that_is_nearly_square_is_looked_at_once():
    assert regions(768, 576) == (Box(0, 0, 768, 576),)


@given(st.integers(8, 4000), st.integers(8, 4000))
def test_windows_cover_the_frame_and_stay_inside_it(width, height):
    _, *windows = regions(width, height)
    assert all(0 <= w.x1 < w.x2 <= width and 0 <= w.y1 < w.y2 <= height for w in windows)
    if windows:
        assert (windows[0].x1, windows[0].y1, windows[-1].x2, windows[-1].y2) == (0, 0, width, height)
        assert all(b.x1 <= a.x2 and b.y1 <= a.y2 for a, b in itertools.pairwise(windows))


# ---- from regions to the frame


async def test_all_regions_go_through_the_network_at_once():
    network = ScriptedNetwork()
    await Detector(network=network, least={}).detect(np.zeros((272, 640, 3), np.uint8))
    assert network.shape == (3, 300, 300, 3)


async def test_a_box_is_told_in_pixels_of_the_frame_with_the_region_that_it_was_found_in():
    (found,) = await cars(None, None, (0.25, 0.25, 0.75, 0.75))
    assert found == Found(label="car", score=found.score, box=Box(334, 68, 538, 204), region=RIGHT)
    assert found.score == pytest.approx(0.8808, abs=1e-4)


async def test_a_piece_cut_off_by_a_windows_edge_is_left_to_the_other_window():
    assert await cars(None, (0.6, 0.2, 0.995, 0.8)) == ()
    assert await cars(None, None, (0.005, 0.2, 0.4, 0.8)) == ()


async def test_what_the_frames_own_edge_cuts_is_kept_and_clipped():
    (found,) = await cars(None, (-0.1, 0.2, 0.4, 1.1))
    assert found.box == Box(0, 54, 163, 272)


async def test_only_the_labels_that_are_asked_for_are_found_and_only_from_their_score_on():
    assert await cars((0.1, 0.1, 0.9, 0.9), least={"person": 0.3}) == ()
    assert await cars((0.1, 0.1, 0.9, 0.9), least={"person": 0.3, "car": 0.9}) == ()


# ---- merging


def test_of_two_boxes_of_one_thing_the_better_one_stays():
    low, high = thing(Box(0, 0, 100, 100), 0.4), thing(Box(5, 5, 100, 100), 0.6)
    assert merge([low, high]) == (high,)


def test_a_piece_of_a_larger_box_is_dropped_even_where_it_scores_higher():
    part, whole = thing(Box(10, 10, 50, 50), 0.7), thing(Box(0, 0, 200, 200), 0.4)
    assert merge([part, whole]) == (whole,)


def test_labels_do_not_suppress_each_other():
    rider, bicycle = thing(Box(0, 0, 100, 200), label="person"), thing(Box(0, 80, 100, 200), label="bicycle")
    assert set(merge([rider, bicycle])) == {rider, bicycle}


def test_neighbours_that_overlap_a_little_are_two_things():
    one, other = thing(Box(0, 0, 100, 100)), thing(Box(80, 0, 180, 100))
    assert set(merge([one, other])) == {one, other}


def test_nothing_found_is_nothing():
    assert merge([]) == ()


# ---- the shipped model


@pytest.fixture(scope="module")
def real():
    import onnxruntime  # noqa: PLC0415 - slow to import, and only this test needs it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = shipped("infra", "models", "mini", ssd.MODEL)
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    async def network(pictures):
        encodings, logits = session.run(list(ssd.OUTPUTS), {ssd.INPUT: pictures})
        return encodings, logits

    return Detector(network=network, least=dict.fromkeys(("person", "bicycle", "car"), 0.4))


def sample_frame(number):
    video = cv2.VideoCapture(str(shipped("infra", "demo", "bikes.mp4")))
    video.set(cv2.CAP_PROP_POS_FRAMES, number)
    picture = video.read()[1]
    video.release()
    return picture


async def test_the_shipped_model_finds_the_cyclist_the_bicycle_and_the_car_of_the_sample_video(real):
    found = await real.detect(sample_frame(125))
    best = {thing.label: thing.box for thing in reversed(found)}
    assert set(best) == {"person", "bicycle", "car"}
    assert 340 < best["person"].x1 < 400
    assert best["person"].height > 200
    assert best["bicycle"].y1 > 90
    assert best["car"].x1 < 40


@pytest.mark.parametrize("number", [115, 120, 125, 130])
async def test_the_cyclists_bicycle_is_found_once_whatever_window_it_is_seen_through(real, number):
    found = await replace(real, least={"bicycle": 0.3}).detect(sample_frame(number))
    left_of_the_motorcycle = [thing for thing in found if thing.box.x1 < 500]
    assert len(left_of_the_motorcycle) == 1


async def test_the_shipped_model_finds_nothing_in_an_empty_picture(real):
    assert await real.detect(np.full((480, 640, 3), 128, np.uint8)) == ()
