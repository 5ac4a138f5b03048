from dataclasses import replace

import pytest

from streams.domain.messages import Crop, Sighting
from streams.domain.sightings import (
    Tracking,
    heard,
    is_old,
    is_significant,
    last_words,
    news,
    outcome_of,
    pictured,
    pictures,
)
from streams.domain.values import Outcome, Reason, Source
from tests.support.builders import OBJECT, at, end, event, picture, start

DEADLINE = at(100)


def after(*events) -> Tracking:
    known = None
    for each in events:
        known = heard(known, each, deadline=DEADLINE)
    assert known
    return known


def test_a_moving_true_positive_is_significant():
    assert is_significant(None, event(1))
    assert is_significant(after(event(1)), event(2))


@pytest.mark.parametrize(
    "told",
    [
        start(1),
        start(1, false_positive=False),
        end(1),
        event(1, false_positive=True),
        event(1, stationary=True),
        *(event(1, source=source) for source in Source if source is not Source.OBJECT),
    ],
    ids=lambda told: f"{told.source}-{told.phase}-fp{told.false_positive}-stationary{told.stationary}",
)
def test_nothing_else_is_significant(told):
    assert not is_significant(None, told)
    assert after(told).updates == 0


def test_the_same_frame_twice_is_significant_once():
    assert not is_significant(after(event(1)), event(1))
    assert after(event(1), event(1), event(2)).updates == 2


def test_what_is_older_than_what_was_heard_is_old():
    assert is_old(after(event(5)), event(4))
    assert not is_old(after(event(5)), event(5))
    assert not is_old(None, event(4))


def test_a_false_positive_is_no_news():
    assert news(None, after(start())) is None
    assert news(after(start()), after(start(), event(1, false_positive=True))) is None


def test_the_first_true_positive_is_news():
    assert news(None, after(event(1))) is Reason.SEEN
    assert news(after(start()), after(start(), event(1))) is Reason.SEEN


def test_what_was_never_tracked_is_news_from_its_start():
    told = start(source=Source.MANUAL, false_positive=False, frame=None, box=None)
    assert news(None, after(told)) is Reason.SEEN


def test_a_new_zone_is_news():
    assert news(after(event(1)), after(event(1), event(2, entered_zones=("lawn",)))) is Reason.ZONES


def test_a_better_picture_is_news():
    before = after(event(1))
    assert news(before, pictured(before, event(1), picture("cut"))) is Reason.PICTURE


def test_an_update_like_the_one_before_is_no_news():
    assert news(after(event(1)), after(event(1), event(2, score=0.9, stationary=True))) is None


def test_upstreams_own_thumbnail_is_the_best_picture():
    own, upstreams = picture("cut"), picture("upstream")
    known = pictured(after(event(1)), event(1), own)
    assert pictures(known).best == own
    assert pictures(heard(known, end(2, thumbnail=upstreams), deadline=DEADLINE)).best == upstreams


def test_a_snapshot_stands_in_where_nothing_was_cut():
    known = after(event(1, snapshot=picture("snapshot")))
    assert pictures(known).best == pictures(known).snapshot == picture("snapshot")


def test_what_was_kept_once_stays_kept():
    known = after(event(1, has_clip=True, has_snapshot=True), event(2))
    assert (known.facts.has_clip, known.facts.has_snapshot) == (True, True)


def test_an_end_of_an_older_frame_ends_the_newest_facts():
    known = after(event(5, score=0.9), end(4, score=0.1))
    assert (known.facts.frame_time, known.facts.score, known.facts.end_time) == (at(5), 0.9, at(4))


def test_an_object_whose_start_was_never_heard_is_known_by_its_end():
    assert after(end(4)).facts.end_time == at(4)


def test_frame_sizes_outlive_events_without_a_frame():
    known = after(event(1), end(2, frame=None))
    assert (known.facts.frame_width, known.facts.frame_height) == (1280, 720)


def test_outcomes():
    assert outcome_of(after(start(), end(1, false_positive=True))) is Outcome.FALSE_POSITIVE
    assert outcome_of(after(event(1), end(2))) is Outcome.NO_PICTURE
    assert outcome_of(pictured(after(event(1)), event(1), picture("cut"))) is Outcome.DONE


def test_a_true_positive_stays_one():
    assert outcome_of(after(event(1), end(2, false_positive=True))) is Outcome.NO_PICTURE


def test_nothing_is_said_of_a_false_positive():
    assert last_words(after(start(), end(1, false_positive=True)), Outcome.FALSE_POSITIVE) == ()


def test_the_last_sighting_tells_the_end():
    (told,) = last_words(after(event(1), end(2)), Outcome.NO_PICTURE)
    assert isinstance(told, Sighting)
    assert (told.reason, told.outcome, told.facts.end_time) == (Reason.ENDED, Outcome.NO_PICTURE, at(2))


def test_an_end_that_was_never_told_is_that_of_the_latest_frame():
    (told,) = last_words(after(event(7)), Outcome.ABANDONED)
    assert isinstance(told, Sighting)
    assert told.facts.end_time == at(7)


def test_an_object_that_had_crops_gets_a_last_one():
    told = last_words(replace(after(event(1)), crops=2), Outcome.DONE)
    assert [type(each) for each in told] == [Sighting, Crop]
    assert told[1] == Crop(
        object_id=OBJECT,
        camera="porch",
        label="person",
        frame_time=at(1),
        frame_width=1280,
        frame_height=720,
        attempt=2,
        ended=True,
    )
