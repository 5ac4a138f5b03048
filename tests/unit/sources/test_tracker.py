import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.domain.tracking import Patience
from streams.domain.values import Box
from streams.sources.found import Found
from streams.sources.tracker import Tracker, affinity

FRAME = Box(0, 0, 1280, 720)
PATIENCE = Patience(min_initialized=2, max_disappeared=3, stationary_threshold=50)

boxes = st.builds(
    lambda x, y, w, h: Box(x, y, x + w, y + h),
    *[st.integers(0, 900)] * 2,
    *[st.integers(1, 300)] * 2,
)


def found(x, label="person", score=0.8, y=300):
    return Found(label=label, score=score, box=Box(x, y, x + 80, y + 160), region=FRAME)


def tracker(**patience):
    told = {"min_initialized": 2, "max_disappeared": 3, "stationary_threshold": 50} | patience
    return Tracker(patience=Patience(**told), name=lambda time, number: f"{time}-{number}")


def run(*frames, **patience):
    watch = tracker(**patience)
    return [watch.update(things, time) for time, things in enumerate(frames)]


def ids(tracks):
    return [seen.object_id for seen in tracks.seen]


def test_a_track_becomes_an_object_at_its_second_hit_and_is_named_after_that_frame():
    first, second, third = run([found(0)], [found(10)], [found(20)])
    assert ids(first) == []
    assert ids(second) == ids(third) == ["1-1"]


def test_a_single_flash_is_never_an_object():
    frames = run([found(0)], [], [found(900)], [])
    assert [ids(tracks) for tracks in frames] == [[], [], [], []]
    assert all(tracks.gone == () for tracks in frames)


def test_with_one_hit_an_object_exists_at_once():
    (first,) = run([found(0)], min_initialized=1)
    assert ids(first) == ["0-1"]


def test_an_object_is_gone_when_it_was_missed_more_often_than_it_is_waited_for():
    frames = run([found(0)], [found(0)], [], [], [], [])
    assert [tracks.gone for tracks in frames] == [(), (), (), (), (), ("1-1",)]


def test_an_object_that_comes_back_in_time_is_the_same():
    *_, last = run([found(0)], [found(0)], [], [], [], [found(5)])
    assert ids(last) == ["1-1"]


def test_a_steady_walk_behind_a_lamp_post_is_one_object():
    frames = [[found(40 * step)] if step not in {5, 6} else [] for step in range(12)]
    assert {name for tracks in run(*frames) for name in ids(tracks)} == {"1-1"}


def test_an_object_faster_than_its_own_width_per_frame_is_one_object():
    assert {name for tracks in run(*([found(100 * step)] for step in range(8))) for name in ids(tracks)} == {"1-1"}


def test_two_who_pass_each_other_keep_their_names():
    frames = [[found(30 * step), found(600 - 30 * step, y=340)] for step in range(20)]
    watched = run(*frames)
    first = {seen.object_id: seen.box.y1 for seen in watched[1].seen}
    last = {seen.object_id: seen.box.y1 for seen in watched[-1].seen}
    assert first == last


def test_labels_are_tracked_apart():
    frames = run(*([found(0), found(0, "bicycle")] for _ in range(3)))
    assert {(seen.label, seen.object_id) for seen in frames[-1].seen} == {("person", "1-1"), ("bicycle", "1-2")}
    *_, changed = run([found(0)], [found(0)], [found(0, "bicycle")], [found(0, "bicycle")])
    assert ids(changed) == ["3-2"]


def test_what_is_seen_is_told_as_the_detector_saw_it():
    *_, last = run([found(0)], [found(9, score=0.4)])
    (seen,) = last.seen
    assert (seen.label, seen.score, seen.box, seen.region) == ("person", 0.4, found(9).box, FRAME)


def test_after_a_cut_all_objects_are_gone_and_new_ones_get_new_names():
    watch = tracker()
    for time in range(3):
        watch.update([found(0)], time)
    assert watch.restart() == ("1-1",)
    assert watch.restart() == ()
    watch.update([found(0)], 3)
    assert ids(watch.update([found(0)], 4)) == ["4-2"]


def test_affinity_is_iou_where_boxes_cover_each_other_and_falls_with_the_distance():
    box = Box(0, 0, 10, 10)
    assert affinity(box, box) == 1
    assert affinity(box, Box(0, 0, 10, 20)) == pytest.approx(0.5)
    assert 0 > affinity(box, Box(11, 0, 21, 10)) > affinity(box, Box(100, 0, 110, 10)) > -1


@given(boxes, boxes)
def test_affinity_is_symmetric_and_bounded(one, other):
    assert affinity(one, other) == affinity(other, one)
    assert -1 <= affinity(one, other) <= 1


@given(
    st.lists(
        st.lists(st.builds(lambda x, s: found(x, score=s), st.integers(0, 1200), st.floats(0.1, 1)), max_size=4),
        max_size=25,
    )
)
def test_a_name_is_used_by_one_object_that_is_never_seen_again_once_it_is_gone(frames):
    watch = tracker()
    gone = set()
    for time, things in enumerate(frames):
        tracks = watch.update(things, time)
        names = ids(tracks)
        assert len(set(names)) == len(names) <= len(things)
        assert gone.isdisjoint(names)
        assert set(names).isdisjoint(tracks.gone)
        gone |= set(tracks.gone)
