"""What people report of such systems about events and snapshots, tried on the whole pipeline."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest

from streams.domain.messages import Document, Sighting
from streams.domain.values import Box, Outcome
from streams.ports import Query
from tests.support.builders import HOUR, OBJECT, at, end, event, frame, life, start
from tests.support.odd_events import odd_events
from tests.support.world import World

OTHER = "1764000007.000000-def456"


def effort(world: World) -> tuple[int, int, int]:
    """Pictures cut, pictures embedded, messages published."""
    return world.pictures.cuts.total(), world.embedder.pictures, len(world.loop.published)


def found(world: World) -> Document:
    """What the index holds of the object."""
    return world.index.documents[OBJECT]


async def test_a_day_of_parking_costs_one_thumbnail_and_one_vector_and_its_state_does_not_grow() -> None:
    world = World()
    await world.hear(start(), event(1))
    minutes = [event(60 * minute, stationary=True, motionless_count=300 * minute) for minute in range(1, 1441)]
    await world.hear(minutes[0])
    before, size = effort(world), len(repr(world.loop.state("track", OBJECT)))
    await world.hear(*minutes[1:])
    assert effort(world) == before == (1, 0, 3)
    assert abs(len(repr(world.loop.state("track", OBJECT))) - size) < 4  # a digit more in a time
    await world.hear(end(86_460))
    assert (world.pictures.cuts.total(), world.embedder.pictures) == (1, 1)
    assert found(world).record.outcome is Outcome.DONE


async def test_the_same_snapshot_time_twenty_times_is_one_cut_and_one_vector_whatever_the_score() -> None:
    world = World()
    await world.hear(start(), *[event(1, score=0.8 + number / 1000) for number in range(20)], end(2))
    assert (world.pictures.cuts.total(), world.embedder.pictures, found(world).record.updates) == (1, 1, 1)


async def test_a_start_without_a_picture_is_embedded_once_by_the_first_usable_one() -> None:
    world = World()
    await world.hear(start(frame=None), event(1, frame=None), event(2), end(3))
    assert world.embedder.pictures == 1
    assert found(world).record.pictures.best.time == at(2)


async def test_an_update_that_was_held_up_for_ten_minutes_does_not_undo_what_came_since() -> None:
    late = event(5, label="dog", entered_zones=("old",), box=Box(0, 0, 10, 10))
    on_time, held_up = World(), World()
    newer = event(605, stationary=True, entered_zones=("porch",))
    await on_time.hear(start(), event(1), newer, end(700))
    await held_up.hear(start(), event(1), newer, late, end(700))
    assert found(held_up) == found(on_time)


@pytest.mark.parametrize("order", list(itertools.permutations([1, 2, 3])))
async def test_in_whatever_order_updates_come_the_newest_facts_win(order: tuple[int, ...]) -> None:
    world = World()
    told = {second: event(second, label=f"seen at {second}") for second in order}
    await world.hear(start(), *(told[second] for second in order), end(4, label="seen at 4", frame_time=at(3)))
    assert (found(world).record.facts.label, found(world).record.facts.frame_time) == ("seen at 4", at(3))


async def test_an_object_that_is_lost_and_found_is_two_objects_that_lead_to_each_other() -> None:
    world = World()
    again = [replace(each, start_time=at(7), object_id=OTHER) for each in (event(8), event(9), end(10))]
    await world.hear(*life(3), *again)
    assert set(world.index.documents) == {OBJECT, OTHER}
    (near,) = await world.index.search(Query(like=OTHER))
    assert (near.object_id, round(near.score, 3)) == (OBJECT, 1.0)


async def test_an_object_whose_end_never_comes_ends_as_abandoned_with_the_pictures_it_had() -> None:
    world = World()
    await world.hear(start(), event(1), event(2))
    await world.loop.advance(at(2) + 12 * HOUR)
    record = found(world).record
    assert (record.outcome, record.facts.end_time) == (Outcome.ABANDONED, at(2))
    assert [thumbnail.time for thumbnail in record.pictures.thumbnails] == [at(1), at(2)]


ODD = dict(odd_events(frame(1)))
NEEDS_REAL_PICTURES = {"raw of another size", "raw and huge"}


@pytest.mark.parametrize("name", sorted(ODD.keys() - NEEDS_REAL_PICTURES))
async def test_an_odd_event_is_a_dead_letter_by_name_or_does_no_harm_and_the_next_is_processed(name: str) -> None:
    world, odd = World(), ODD[name]
    await world.loop.send(odd.event, at=at(1))
    await world.hear(*life(2))
    assert [letter.reason for letter in world.loop.dead_letters] == ([odd.reason] if odd.reason else [])
    seen = {told.key: told for told in world.said(Sighting)}
    assert set(seen) == {OBJECT} | (set() if odd.reason else {odd.event.key})
    assert odd.reason or bool(seen[odd.event.key].pictures.thumbnails) == odd.thumbnails
    assert found(world).record.outcome is Outcome.DONE


@pytest.mark.parametrize(
    ("parts", "reason"),
    [({"score": math.nan}, "unencodable"), ({"top_score": math.inf}, "unencodable"), ({"area": 2**40}, "unencodable")],
)
async def test_numbers_that_other_languages_let_pass_are_refused_by_name(parts, reason) -> None:
    world = World()
    await world.hear(event(1, **parts), *life(2, OTHER))
    (letter,) = world.loop.dead_letters
    assert letter.reason == reason
    assert next(iter(parts)) in letter.detail
    assert set(world.index.documents) == {OTHER}
