import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.domain.values import Box
from streams.sources.kalman import begin, correct, predict

BOX = Box(100, 100, 200, 300)


def walk(step, frames, box=BOX):
    motion = begin(box)
    for number in range(1, frames):
        motion = correct(predict(motion), Box(box.x1 + step * number, box.y1, box.x2 + step * number, box.y2))
    return motion


def test_the_first_box_is_believed():
    assert begin(BOX).box == BOX


def test_without_a_second_box_the_object_is_expected_where_it_was():
    assert predict(begin(BOX)).box == BOX


def test_a_steady_walk_is_foreseen():
    expected = predict(walk(step=30, frames=6)).box
    assert abs(expected.x1 - (BOX.x1 + 30 * 6)) <= 2
    assert (expected.y1, expected.y2) == (BOX.y1, BOX.y2)


def test_uncertainty_grows_while_nothing_is_seen_and_shrinks_when_something_is():
    motion = walk(step=5, frames=4)
    later = predict(predict(motion))
    assert np.all(later.covariance[:, 0, 0] > motion.covariance[:, 0, 0])
    seen = correct(later, later.box)
    assert np.all(seen.covariance[:, 0, 0] < later.covariance[:, 0, 0])


@given(
    st.lists(
        st.builds(lambda x, y, w, h: Box(x, y, x + w, y + h), *[st.integers(0, 2000)] * 2, *[st.integers(1, 900)] * 2),
        min_size=1,
        max_size=30,
    )
)
def test_whatever_is_measured_the_box_has_a_size_and_covariances_stay_sound(boxes):
    motion = begin(boxes[0])
    for box in boxes[1:]:
        motion = correct(predict(motion), box)
        assert motion.box.width > 0
        assert motion.box.height > 0
        assert np.all(np.linalg.eigvalsh(motion.covariance) > 0)
        np.testing.assert_allclose(motion.covariance, motion.covariance.transpose(0, 2, 1), rtol=1e-6, atol=1e-9)
