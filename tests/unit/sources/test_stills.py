import cv2
import numpy as np
import pytest

from streams.domain.values import Box, PixelFormat
from streams.sources.stills import frame_still, snapshot_still, thumbnail_still


def picture(width=1280, height=720):
    """Blue on the left, red on the right."""
    drawn = np.zeros((height, width, 3), np.uint8)
    drawn[:, : width // 2, 0] = 200
    drawn[:, width // 2 :, 2] = 200
    return drawn


def decoded(still):
    return cv2.imdecode(np.frombuffer(still.data, np.uint8), cv2.IMREAD_COLOR)


def test_a_frame_is_a_jpeg_of_its_own_size():
    still = frame_still(picture(640, 272))
    assert (still.width, still.height, still.format) == (640, 272, PixelFormat.JPEG)
    assert still.data.startswith(b"\xff\xd8")
    assert np.abs(decoded(still).astype(int) - picture(640, 272)).mean() < 3


def test_a_snapshot_is_the_whole_frame():
    assert decoded(snapshot_still(picture())).shape == (720, 1280, 3)


def test_a_thumbnail_is_a_webp_of_175_pixels():
    still = thumbnail_still(picture(), Box(600, 300, 680, 420))
    assert (still.width, still.height, still.format) == (175, 175, PixelFormat.WEBP)
    assert (still.data[:4], still.data[8:12]) == (b"RIFF", b"WEBP")
    assert decoded(still).shape == (175, 175, 3)


def test_a_thumbnail_shows_at_least_300_pixels_around_the_box():
    # 490..790 of 1280: 150 pixels left and right of the middle, at 640.
    left, right = np.split(decoded(thumbnail_still(picture(), Box(630, 350, 650, 370))), [87], axis=1)
    assert left[:, :80, 0].mean() > 150
    assert right[:, 10:, 2].mean() > 150


@pytest.mark.parametrize(
    ("size", "box", "expected"),
    [
        ((640, 272), Box(0, 0, 50, 80), (193, 175)),
        ((640, 272), Box(600, 10, 640, 270), (193, 175)),
        ((100, 900), Box(0, 0, 100, 300), (53, 175)),
        ((8, 8), Box(0, 0, 1, 1), (175, 175)),
    ],
)
def test_a_square_cut_by_the_frames_edge_keeps_its_proportions(size, box, expected):
    still = thumbnail_still(picture(*size), box)
    assert (still.width, still.height) == expected
    assert decoded(still).shape[:2] == expected[::-1]
