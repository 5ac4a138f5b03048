import numpy as np
import pytest

from streams.sources.ssd import LABELS, SIDE, anchors, decode, prepare


def outputs(*candidates):
    """Box encodings and logits in which only the given anchors see something: (anchor, label, logit, encoding)."""
    encodings, logits = np.zeros((1917, 4), np.float32), np.full((1917, 24), -10, np.float32)
    for anchor, label, logit, encoding in candidates:
        encodings[anchor] = encoding
        logits[anchor, LABELS.index(label)] = logit
    return encodings, logits


def test_there_are_1917_anchors_and_24_labels():
    assert anchors().shape == (1917, 4)
    assert len(LABELS) == 24


def test_anchors_start_small_and_end_with_the_whole_picture():
    first, last = anchors()[0], anchors()[-1]
    np.testing.assert_allclose(first, [0.5 / 19, 0.5 / 19, 0.1, 0.1], rtol=1e-5)
    np.testing.assert_allclose(last, [0.5, 0.5, np.sqrt(0.95), np.sqrt(0.95)], rtol=1e-5)


def test_anchors_are_shared_and_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        anchors()[0] = 0


def test_a_picture_becomes_rgb_between_minus_one_and_one():
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[..., 0] = 255
    prepared = prepare(picture)
    assert prepared.shape == (SIDE, SIDE, 3)
    assert prepared.dtype == np.float32
    np.testing.assert_allclose(prepared[0, 0], [-1, -1, 1], atol=1e-6)


def test_a_zero_encoding_is_the_anchor_itself():
    found = decode(*outputs((1916, "car", 2.0, (0, 0, 0, 0))), least=0.5)
    x, y, width, height = anchors()[1916]
    np.testing.assert_allclose(found.boxes, [[x - width / 2, y - height / 2, x + width / 2, y + height / 2]], rtol=1e-5)
    assert [LABELS[label] for label in found.labels] == ["car"]
    np.testing.assert_allclose(found.scores, [1 / (1 + np.exp(-2))], rtol=1e-5)


def test_an_encoding_moves_by_tenths_of_the_anchor_and_grows_by_powers():
    anchor = anchors()[1916]
    down_right_and_taller = (1.0, 2.0, 5 * np.log(0.5), 0.0)
    (box,) = decode(*outputs((1916, "dog", 3.0, down_right_and_taller)), least=0.5).boxes
    centre = (box[:2] + box[2:]) / 2
    np.testing.assert_allclose(centre, anchor[:2] + np.array([0.2, 0.1]) * anchor[2:], rtol=1e-4)
    np.testing.assert_allclose(box[2:] - box[:2], anchor[2:] * [1.0, 0.5], rtol=1e-4)


def test_low_scores_and_the_background_are_nothing():
    encodings, logits = outputs((5, "cat", -1.0, (0, 0, 0, 0)))
    logits[:, 0] = 10
    assert len(decode(encodings, logits, least=0.3).scores) == 0
