import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.domain.cameras import Camera, Detect, ObjectFilter, Record, Snapshots, TrackedObjects
from streams.domain.lifecycle import Look, close, object_id, observe
from streams.domain.values import SECOND, Attribute, Box, Detection, FrameRef, Phase, Severity

START, UPDATE, END = Phase.START, Phase.UPDATE, Phase.END
T0 = 1_764_000_000 * SECOND
STEP = SECOND // 5
CAMERA = Camera(
    name="yard",
    detect=Detect(fps=5, width=1280, height=720),
    objects=TrackedObjects(track=("person",), filters={"person": ObjectFilter(threshold=0.6)}),
    snapshots=Snapshots(enabled=True),
    record=Record(enabled=True),
)


def standing(step=0):
    del step
    return Box(600, 300, 680, 420)


def walking(step):
    return Box(10 + 60 * step, 300, 90 + 60 * step, 420)


def person(box, score=0.8, name="a", **parts):
    return Detection(object_id=name, label="person", score=score, box=box, **parts)


def frame(time):
    return FrameRef(uri=f"memory:///{time}.jpg", width=1280, height=720, time=time)


class Watch:
    """Observes frame after frame and collects the events."""

    def __init__(self, camera=CAMERA, step=STEP):
        self.camera, self.step, self.time, self.lives, self.events = camera, step, T0 - step, {}, []

    def look(self, *seen, gone=(), zones=None):
        self.time += self.step
        look = Look(time=self.time, frame=frame(self.time), seen=seen, gone=gone, zones=zones or {})
        self.lives, events = observe(self.lives, look, self.camera)
        self.events += events
        return events

    @property
    def phases(self):
        return [event.phase for event in self.events]


def walked(steps=6, score=0.8):
    watch = Watch()
    for step in range(steps):
        watch.look(person(walking(step), score))
    return watch


# ---- ids


def test_an_id_is_the_time_of_the_first_frame_and_six_letters_or_digits():
    name = object_id("yard", T0, T0 + 475_377, 1)
    assert re.fullmatch(r"1764000000\.475377-[a-z0-9]{6}", name)
    assert len(name) <= 30


def test_an_id_is_the_same_for_the_same_playback_and_differs_by_camera_playback_and_number():
    assert object_id("yard", T0, T0, 1) == object_id("yard", T0, T0, 1)
    others = [object_id("yard", T0, T0, 1), object_id("door", T0, T0, 1), object_id("yard", 1, T0, 1)]
    assert len({*others, *(object_id("yard", T0, T0, number) for number in range(2, 1000))}) == 1001


# ---- start, update, end


def test_an_object_starts_as_a_false_positive_in_its_first_frame():
    watch = Watch()
    (start,) = watch.look(person(standing(), score=0.99))
    assert start.phase is START
    assert start.false_positive
    assert start.start_time == start.frame_time == T0
    assert start.frame == frame(T0)
    assert start.top_score == 0.0


def test_the_first_frame_as_a_true_positive_makes_an_update_since_its_path_begins():
    watch = walked(steps=2)
    assert watch.phases == [START, UPDATE]
    assert not watch.events[1].false_positive
    assert len(watch.events[1].path_data) == 1


def test_no_update_is_ever_sent_for_a_false_positive_but_its_end_is():
    watch = walked(steps=30, score=0.59)
    watch.look(gone=("a",))
    assert watch.phases == [START, END]
    assert watch.events[-1].false_positive
    assert watch.events[-1].best is None
    assert watch.events[-1].path_data == ()


def test_a_true_positive_stays_one_however_low_the_score_falls():
    watch = walked(steps=3, score=0.6)
    for step in range(3, 20):
        watch.look(person(walking(step), 0.1))
    (end,) = watch.look(gone=("a",))
    assert (end.score, end.top_score, end.false_positive) == (0.1, 0.6, False)


def test_the_end_keeps_the_last_sighting_and_has_the_time_of_the_frame_it_left_in():
    watch = walked(steps=3)
    watch.look()
    (end,) = watch.look(gone=("a",))
    assert end.phase is END
    assert end.frame_time == T0 + 2 * STEP
    assert end.frame == frame(end.frame_time)
    assert end.end_time == T0 + 4 * STEP
    assert watch.lives == {}


def test_closing_ends_every_object():
    watch = Watch()
    watch.look(person(standing(), name="a"), person(walking(0), name="b"))
    ends = close(watch.lives, T0 + SECOND, CAMERA)
    assert [(end.object_id, end.phase, end.end_time) for end in ends] == [
        ("a", END, T0 + SECOND),
        ("b", END, T0 + SECOND),
    ]


def test_someone_who_leaves_in_the_frame_in_which_another_appears_ends_while_the_other_starts():
    watch = walked(steps=2)
    events = watch.look(person(standing(), name="b"), gone=("a",))
    assert [(event.object_id, event.phase) for event in events] == [("a", END), ("b", START)]


# ---- scores


def test_misses_count_as_zero_in_the_computed_score():
    watch = Watch()
    watch.look(person(standing(), 0.9))
    for _ in range(3):
        watch.look()
    watch.look(person(standing(), 0.9))
    watch.look(person(standing(), 0.9))
    assert watch.lives["a"].false_positive, "median of 0.9 0 0 0 0.9 0.9 is 0.45"
    watch.look(person(standing(), 0.9))
    assert not watch.lives["a"].false_positive
    assert watch.lives["a"].top_score == 0.9


def test_a_missed_frame_leaves_what_was_seen_as_it_was():
    watch = walked(steps=4)
    before = watch.lives["a"]
    assert watch.look() == ()
    after = watch.lives["a"]
    assert replace(after, scores=before.scores) == before


# ---- significant changes


def still(watch, frames, **parts):
    for _ in range(frames):
        watch.look(person(standing(), **parts))


def test_a_motionless_object_is_silent_after_its_first_two_path_points():
    watch = Watch()
    still(watch, 40)
    assert watch.phases == [START, UPDATE, UPDATE]


def test_becoming_stationary_is_worth_an_update():
    watch = Watch()
    still(watch, 60)
    assert [event.stationary for event in watch.events] == [False, False, False, True]
    assert watch.events[-1].motionless_count == 51
    assert watch.events[-1].active is False


def test_a_stationary_object_is_spoken_of_once_a_minute():
    watch = Watch(step=SECOND)
    still(watch, 60)
    spoken = len(watch.events)
    still(watch, 600)
    assert len(watch.events) - spoken in {9, 10}
    gaps = [
        after.frame_time - before.frame_time for before, after in zip(watch.events[4:], watch.events[5:], strict=False)
    ]
    assert set(gaps) == {61 * SECOND}


def test_moving_again_after_standing_still_is_a_position_change_and_an_update():
    watch = Watch()
    still(watch, 60)
    (update,) = watch.look(person(walking(0)))
    assert update.position_changes == 1
    assert update.active


def test_a_new_attribute_is_worth_an_update_and_its_best_score_is_kept():
    watch = Watch()
    still(watch, 10)
    for score in (0.7, 0.9, 0.8):
        face = Attribute(label="face", score=score, box=Box(620, 310, 640, 330))
        (update,) = watch.look(person(standing(), attributes=(face,)))
    assert update.attributes == {"face": 0.9}
    assert [attribute.score for attribute in update.current_attributes] == [0.8]


def test_entering_and_leaving_a_zone_are_updates_and_entered_zones_keep_their_order():
    watch = Watch()
    still(watch, 10)
    spoken = len(watch.events)
    for zones in (("porch",), ("porch",), ("street", "porch"), ()):
        watch.look(person(standing()), zones={"a": zones})
    assert len(watch.events) - spoken == 3
    assert watch.events[-1].entered_zones == ("porch", "street")
    assert watch.events[-1].current_zones == ()


def test_the_order_of_zones_is_no_change():
    watch = Watch()
    still(watch, 10)
    watch.look(person(standing()), zones={"a": ("porch", "street")})
    spoken = len(watch.events)
    watch.look(person(standing()), zones={"a": ("street", "porch")})
    assert len(watch.events) == spoken


# ---- better pictures


def test_a_better_picture_alone_is_worth_an_update_only_five_seconds_after_the_last_one():
    watch = Watch(step=SECOND)
    still(watch, 3, score=0.7)
    assert watch.look(person(standing(), score=0.8)) == ()
    for _ in range(4):
        assert watch.look(person(standing(), score=0.8)) == ()
    (update,) = watch.look(person(standing(), score=0.8))
    assert update.frame_time - watch.events[-2].frame_time == 6 * SECOND
    assert update.best.score == 0.8
    assert update.best.frame_time == T0 + 3 * SECOND


def test_without_a_better_picture_the_five_seconds_mean_nothing():
    watch = Watch(step=SECOND)
    still(watch, 40)
    assert watch.phases == [START, UPDATE, UPDATE]


def test_the_best_frame_tells_where_the_object_was_in_it():
    watch = Watch()
    region = Box(500, 200, 820, 520)
    watch.look(person(standing()))
    (update,) = watch.look(person(standing(), region=region))
    best = update.best
    assert (best.frame_time, best.box, best.area, best.region, best.score) == (T0 + STEP, standing(), 9600, region, 0.8)
    assert best.path_data == update.path_data


# ---- what an event says


def test_snapshot_and_clip_need_a_true_positive_that_moved():
    moved = walked().events[-1]
    assert moved.position_changes == 1
    assert (moved.has_snapshot, moved.has_clip, moved.max_severity) == (True, True, Severity.ALERT)
    stood = Watch()
    still(stood, 5)
    assert (stood.events[-1].has_snapshot, stood.events[-1].has_clip) == (False, False)
    false = walked(score=0.2)
    (end,) = false.look(gone=("a",))
    assert (end.has_snapshot, end.has_clip) == (False, False)


def test_an_event_describes_the_box():
    event = walked(steps=1).events[0]
    assert (event.box, event.area) == (walking(0), 80 * 120)
    assert event.ratio == pytest.approx(80 / 120)
    assert event.label == "person"
    assert event.camera == "yard"
    assert event.current_estimated_speed == event.average_estimated_speed == event.velocity_angle == 0.0


# ---- whatever happens

sightings = st.lists(
    st.dictionaries(
        st.sampled_from("abc"),
        st.tuples(st.integers(0, 1100), st.floats(0, 1)),
        max_size=3,
    ),
    max_size=60,
)


@given(sightings, st.lists(st.tuples(st.integers(0, 59), st.sampled_from("abc")), max_size=4))
def test_every_object_has_one_start_first_and_one_end_last_and_updates_only_as_a_true_positive(frames, leaving):
    watch = Watch()
    for number, seen in enumerate(frames):
        gone = {name for when, name in leaving if when == number and name in watch.lives}
        shown = {
            f"{name}{sum(e.phase is END and e.object_id[0] == name for e in watch.events)}": at
            for name, at in seen.items()
        }
        watch.look(
            *(person(Box(x, 300, x + 80, 420), score, name) for name, (x, score) in shown.items() if name not in gone),
            gone=tuple(life for life in watch.lives if life[0] in gone),
        )
    watch.events += close(watch.lives, watch.time + STEP, CAMERA)
    for name in {event.object_id for event in watch.events}:
        mine = [event for event in watch.events if event.object_id == name]
        assert [event.phase for event in mine] == [START, *(UPDATE,) * (len(mine) - 2), END]
        assert not any(event.false_positive for event in mine[1:-1])
        assert [event.frame_time for event in mine] == sorted(event.frame_time for event in mine)
        assert [event.top_score for event in mine] == sorted(event.top_score for event in mine)
        assert all(event.frame is None or event.frame.time == event.frame_time for event in mine)
