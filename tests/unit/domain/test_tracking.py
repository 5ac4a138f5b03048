from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.domain.cameras import Camera, Detect, Record, Review, Snapshots, TrackedObjects
from streams.domain.geometry import area
from streams.domain.tracking import (
    Movement,
    Patience,
    better_picture,
    computed_score,
    follow,
    has_clip,
    has_snapshot,
    max_severity,
    move,
    object_filter,
    patience,
    remember,
)
from streams.domain.values import Attribute, BestFrame, Box, PathPoint, Severity

BOX = Box(100, 100, 200, 300)
CAMERA = Camera(name="yard")

boxes = st.builds(
    lambda x, y, w, h: Box(x, y, x + w, y + h),
    st.integers(0, 1000),
    st.integers(0, 500),
    st.integers(1, 280),
    st.integers(1, 220),
)


def shifted(box, x, y=0):
    return Box(box.x1 + x, box.y1 + y, box.x2 + x, box.y2 + y)


# ---- patience


def test_patience_defaults_come_from_the_frame_rate():
    assert patience(Detect(fps=5)) == Patience(min_initialized=2, max_disappeared=25, stationary_threshold=50)
    assert patience(Detect(fps=10)) == Patience(min_initialized=5, max_disappeared=50, stationary_threshold=100)


def test_configured_patience_wins_and_zero_is_kept_where_it_means_something():
    detect = Detect(fps=5, min_initialized=3, max_disappeared=0, stationary_threshold=7)
    assert patience(detect) == Patience(min_initialized=3, max_disappeared=0, stationary_threshold=7)


def test_one_frame_per_second_needs_one_hit():
    assert patience(Detect(fps=1)).min_initialized == 1


# ---- scores


def test_the_computed_score_is_the_median_in_which_a_miss_is_zero():
    assert computed_score((0.5,)) == 0.5
    assert computed_score((0.5, 0.7)) == pytest.approx(0.6)
    assert computed_score((0.0, 0.9, 0.0)) == 0.0
    assert computed_score((0.0, 0.8, 0.9)) == 0.8
    assert computed_score(()) == 0.0


def test_only_the_last_ten_scores_are_remembered():
    scores = ()
    for score in range(13):
        scores = remember(scores, score)
    assert scores == tuple(range(3, 13))


def test_a_label_without_a_filter_has_the_default_one():
    assert object_filter(CAMERA, "dog").threshold == 0.7
    assert object_filter(CAMERA, "dog").min_score == 0.5


# ---- movement


def test_an_object_that_stays_counts_motionless_frames():
    movement = Movement(places=(BOX,))
    for _ in range(60):
        movement = move(movement, shifted(BOX, 1), stationary_threshold=50)
    assert movement.motionless_count == 60
    assert movement.position_changes == 0
    assert len(movement.places) == 10


def test_the_first_move_counts_and_further_moves_of_an_active_object_do_not():
    movement = Movement(places=(BOX,))
    for step in range(1, 6):
        movement = move(movement, shifted(BOX, 60 * step), stationary_threshold=50)
    assert movement.position_changes == 1
    assert movement.motionless_count == 0


def test_each_move_out_of_standing_still_counts():
    movement = Movement(places=(BOX,), motionless_count=51, position_changes=1)
    movement = move(movement, shifted(BOX, 500), stationary_threshold=50)
    assert (movement.position_changes, movement.motionless_count) == (2, 0)


def test_an_object_at_the_threshold_is_not_stationary_yet():
    movement = Movement(places=(BOX,), motionless_count=50, position_changes=1)
    assert move(movement, shifted(BOX, 500), stationary_threshold=50).position_changes == 1


def test_a_stationary_object_may_flicker_more_than_an_active_one():
    flicker = shifted(BOX, 18)
    active = Movement(places=(BOX,) * 10, motionless_count=20)
    stationary = replace(active, motionless_count=60)
    assert move(active, flicker, stationary_threshold=50).motionless_count == 0
    assert move(stationary, flicker, stationary_threshold=50).motionless_count == 61


def test_one_wild_box_among_the_recent_ones_does_not_make_the_next_one_a_move():
    movement = Movement(places=(*(BOX,) * 7, shifted(BOX, 300)), motionless_count=20)
    assert move(movement, BOX, stationary_threshold=50).motionless_count == 21


@given(st.lists(boxes, max_size=40), st.integers(0, 5))
def test_position_changes_never_fall_and_rise_by_one_at_most(seen, threshold):
    movement = Movement(places=(BOX,))
    for box in seen:
        after = move(movement, box, stationary_threshold=threshold)
        assert after.position_changes - movement.position_changes in {0, 1}
        assert after.motionless_count in {0, movement.motionless_count + 1}
        assert 1 <= len(after.places) <= 10
        movement = after


# ---- path


def follow_all(*seen):
    path = ()
    for time, box in enumerate(seen):
        path = follow(path, box, time=time, width=1280, height=720)
    return path


def test_a_path_point_is_the_bottom_centre_relative_to_the_frame():
    assert follow_all(Box(600, 300, 681, 420)) == (PathPoint(0.5004, 0.5833, 0),)


def test_the_first_two_points_are_always_taken():
    assert len(follow_all(BOX, BOX)) == 2
    assert len(follow_all(BOX, BOX, BOX)) == 2


def test_later_points_need_five_percent_of_the_diagonal():
    # 0.05 * sqrt(1280² + 720²) / 1280 = 0.0574 of the width, 73.4 pixels.
    assert len(follow_all(BOX, BOX, shifted(BOX, 73))) == 2
    assert len(follow_all(BOX, BOX, shifted(BOX, 74))) == 3


def test_distance_is_measured_in_relative_units_on_both_axes():
    # 0.0574 of the height are 41.3 pixels.
    assert len(follow_all(BOX, BOX, shifted(BOX, 0, 41))) == 2
    assert len(follow_all(BOX, BOX, shifted(BOX, 0, 42))) == 3


@given(st.lists(boxes, max_size=30))
def test_a_path_only_grows_at_its_end(seen):
    path = ()
    for time, box in enumerate(seen):
        after = follow(path, box, time=time, width=1280, height=720)
        assert after[: len(path)] == path
        assert len(after) - len(path) in {0, 1}
        path = after


# ---- better picture


def best(box=BOX, score=0.6, attributes=()):
    return BestFrame(frame_time=0, box=box, area=area(box), score=score, attributes=attributes)


def seen(box=BOX, score=0.6, label="person", attributes=()):
    return label, best(box, score, attributes)


def better(new, old):
    return better_picture(*new, old, width=1280, height=720)


def face(side, label="face"):
    return (Attribute(label=label, score=0.9, box=Box(0, 0, side, side)),)


def test_a_score_higher_by_more_than_a_twentieth_is_better():
    assert better(seen(score=0.7), best(score=0.6))
    assert not better(seen(score=0.65), best(score=0.6))


def test_an_area_larger_by_more_than_a_tenth_is_better():
    assert better(seen(Box(100, 100, 200, 321)), best())
    assert not better(seen(Box(100, 100, 200, 320)), best())


def test_a_box_cut_by_the_edge_never_replaces_a_whole_one():
    for box in (Box(0, 1, 600, 600), Box(1, 0, 600, 600), Box(700, 1, 1280, 600), Box(1, 200, 600, 720)):
        assert not better(seen(box, score=0.99), best())
        assert better(seen(box, score=0.99), best(box=box))


def test_a_persons_larger_face_wins_against_everything_else():
    assert better(seen(Box(0, 0, 10, 10), score=0.1, attributes=face(30)), best(score=0.9, attributes=face(20)))


def test_a_picture_with_a_face_is_kept_unless_a_larger_face_comes():
    assert not better(seen(Box(1, 1, 900, 700), score=0.99), best(attributes=face(20)))
    assert not better(seen(Box(1, 1, 900, 700), score=0.99, attributes=face(20)), best(attributes=face(20)))


@pytest.mark.parametrize("label", ["car", "motorcycle"])
def test_a_vehicles_licence_plate_decides_like_a_persons_face(label):
    plate = face(20, "license_plate")
    assert better(seen(label=label, score=0.1, attributes=plate), best())
    assert not better(seen(label=label, score=0.99), best(attributes=plate))


def test_a_face_says_nothing_about_a_dog():
    assert not better(seen(label="dog", attributes=face(50)), best())


# ---- severity, snapshot, clip


def test_people_and_cars_are_alerts_and_all_else_is_a_detection():
    assert max_severity(CAMERA, "person", ()) is Severity.ALERT
    assert max_severity(CAMERA, "car", ()) is Severity.ALERT
    assert max_severity(CAMERA, "dog", ()) is Severity.DETECTION


def test_required_zones_are_asked_of_alerts_and_detections_apart():
    camera = replace(
        CAMERA, review=Review(alerts_required_zones=("porch",), detections_required_zones=("yard", "street"))
    )
    assert max_severity(camera, "person", ("porch",)) is Severity.ALERT
    assert max_severity(camera, "person", ("street",)) is Severity.DETECTION
    assert max_severity(camera, "person", ()) is None


def test_a_list_of_labels_limits_detections():
    camera = replace(CAMERA, review=Review(alerts_labels=(), detections_labels=("dog",)))
    assert max_severity(camera, "dog", ()) is Severity.DETECTION
    assert max_severity(camera, "person", ()) is None


def test_a_snapshot_needs_the_camera_to_keep_them_and_one_of_the_required_zones():
    assert not has_snapshot(CAMERA, ())
    assert has_snapshot(replace(CAMERA, snapshots=Snapshots(enabled=True)), ())
    demanding = replace(CAMERA, snapshots=Snapshots(enabled=True, required_zones=("porch",)))
    assert not has_snapshot(demanding, ("yard",))
    assert has_snapshot(demanding, ("yard", "porch"))


def test_a_clip_needs_recordings_and_a_severity():
    recording = replace(CAMERA, record=Record(enabled=True), objects=TrackedObjects(track=("dog",)))
    assert has_clip(recording, Severity.DETECTION)
    assert not has_clip(recording, None)
    assert not has_clip(CAMERA, Severity.ALERT)
