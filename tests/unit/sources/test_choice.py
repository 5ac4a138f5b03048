from dataclasses import replace

import pytest

from streams.domain.cameras import Camera, Detect, ObjectFilter, TrackedObjects
from streams.domain.errors import SettingsError
from streams.sources.choice import Choice, as_chosen, least_scores, new_camera

SET = Camera(
    name="yard",
    detect=Detect(fps=10, width=1280, height=720),
    objects=TrackedObjects(track=("person", "dog"), filters={"person": ObjectFilter(threshold=0.6, min_score=0.55)}),
)


def announced(**choice):
    return new_camera("bikes", Choice(**choice), at=7, size=(640, 272))


def test_a_new_camera_has_the_videos_size_and_what_suits_the_detector():
    camera = announced()
    assert (camera.name, camera.at) == ("bikes", 7)
    assert camera.detect == Detect(fps=5, width=640, height=272)
    assert camera.objects.track == ("person", "bicycle", "car", "cat", "dog")
    assert set(camera.objects.filters.values()) == {ObjectFilter(threshold=0.4, min_score=0.3)}
    assert camera.snapshots.enabled
    assert camera.record.enabled


def test_a_new_camera_is_announced_as_it_was_chosen():
    camera = announced(fps=2, threshold=0.2, labels=("cat",))
    assert camera.detect.fps == 2
    assert camera.objects.track == ("cat",)
    assert camera.objects.filters == {"cat": ObjectFilter(threshold=0.2, min_score=0.2)}


def test_without_a_choice_a_camera_plays_as_it_is_set():
    assert as_chosen(SET, Choice()) == SET


def test_a_choice_wins_over_what_is_set():
    camera = as_chosen(SET, Choice(fps=1, threshold=0.5, labels=("car",)))
    assert camera.detect == replace(SET.detect, fps=1)
    assert camera.objects == TrackedObjects(track=("car",), filters={"car": ObjectFilter(threshold=0.5, min_score=0.3)})


def test_each_label_counts_from_its_own_score():
    assert least_scores(SET) == {"person": 0.55, "dog": 0.5}


def test_labels_that_the_detector_does_not_know_are_left_out():
    assert set(least_scores(as_chosen(SET, Choice(labels=("unicorn", "cat"))))) == {"cat"}


def test_a_camera_for_which_the_detector_knows_nothing_is_refused_with_what_it_knows():
    with pytest.raises(
        SettingsError, match=r"camera yard tracks unicorn, background; the detector knows bicycle, .*car$"
    ):
        least_scores(as_chosen(SET, Choice(labels=("unicorn", "background"))))


def test_a_camera_that_is_off_is_refused():
    with pytest.raises(SettingsError, match="camera yard is switched off"):
        least_scores(replace(SET, enabled=False))
