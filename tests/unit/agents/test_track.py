from dataclasses import dataclass, replace

import pytest

from streams.agents.track import track
from streams.domain.cameras import Camera
from streams.domain.errors import Gone, Outage, Poison
from streams.domain.messages import Crop, Event, Sighting, Tombstone
from streams.domain.sightings import Ended, Tracking
from streams.domain.values import BestFrame, Box, FrameRef, Outcome, Reason, Source
from streams.runtime.loopback import Loopback
from tests.support.builders import DAY, HOUR, OBJECT, RETENTION, at, end, event, frame, life, picture, start
from tests.support.fake_cameras import FakeCameras
from tests.support.fake_pictures import FakePictures
from tests.support.footage import fail, show


@dataclass(frozen=True)
class Cut:
    frame: FrameRef
    region: Box
    name: str
    height: int | None


class Watched(FakePictures):
    """Also remembers where it cut."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[Cut] = []

    async def cut(self, frame, region, *, name, height=None):
        picture = await super().cut(frame, region, name=name, height=height)
        self.done.append(Cut(frame, region, name, height))
        return picture


class World:
    """`track` alone on a loopback, beside the pictures and cameras that it asks."""

    def __init__(self, *, thumbnails: bool = True, crops: bool = False) -> None:
        self.pictures, self.cameras = Watched(), FakeCameras()
        show(self.pictures, *(frame(second) for second in range(21)))
        agent = track(
            pictures=self.pictures,
            cameras=self.cameras,
            wants_thumbnails=lambda _camera: thumbnails,
            wants_crop=lambda _camera, _event: crops,
            retention=RETENTION,
        )
        self.loop = Loopback([agent])

    async def hear(self, *events: Event) -> list[Sighting]:
        for each in events:
            await self.loop.send(each)
        return self.said(Sighting)

    def said(self, kind):
        return [each for each in self.loop.published if isinstance(each, kind)]

    @property
    def known(self) -> object:
        return self.loop.state("track", OBJECT)

    @property
    def cut(self) -> list[str]:
        return [cut.name for cut in self.pictures.done]


async def test_a_whole_life_is_told_in_two_sightings():
    world = World()
    seen, ended = await world.hear(*life(3))
    assert (seen.reason, seen.outcome, seen.updates) == (Reason.SEEN, Outcome.OPEN, 1)
    assert (ended.reason, ended.outcome, ended.updates) == (Reason.ENDED, Outcome.DONE, 3)
    assert ended.facts.end_time == at(4)
    assert [thumbnail.time for thumbnail in ended.pictures.thumbnails] == [at(1), at(2), at(3)]
    assert world.known == Ended(outcome=Outcome.DONE, deadline=at(4) + RETENTION.ended)


async def test_a_thumbnail_is_cut_around_the_box_in_the_frame_of_the_event():
    world = World()
    await world.hear(event(1, box=Box(600, 300, 680, 420)))
    (cut,) = world.pictures.done
    assert (cut.frame, cut.region, cut.height) == (frame(1), Box(390, 110, 890, 610), 500)
    assert cut.name == f"objects/{OBJECT}/thumb-{at(1)}.jpg"


async def test_every_thumbnail_shows_its_own_frame_oldest_first():
    world = World()
    for second in range(1, 6):
        show(world.pictures, frame(second), shade=10 * second)
    _, ended = await world.hear(*life(5))
    shades = [int((await world.pictures.load(thumbnail))[0, 0, 0]) for thumbnail in ended.pictures.thumbnails]
    assert shades == [10, 20, 30, 40, 50]


async def test_of_thirteen_updates_the_first_and_the_newest_nine_pictures_are_kept():
    world = World()
    _, ended = await world.hear(*life(13))
    seconds = [(thumbnail.time - at(0)) // 1_000_000 for thumbnail in ended.pictures.thumbnails]
    assert seconds == [1, 5, 6, 7, 8, 9, 10, 11, 12, 13]


@pytest.mark.parametrize(
    "told",
    [
        start(1, false_positive=False),
        start(1),
        end(1),
        event(1, false_positive=True),
        event(1, stationary=True),
        event(1, source=Source.MANUAL),
        event(1, frame=None),
        event(1, frame=frame(0)),
    ],
    ids=[
        "start",
        "start of a false positive",
        "end",
        "false positive",
        "stationary",
        "manual",
        "no frame",
        "frame of another time",
    ],
)
async def test_nothing_is_cut_of(told):
    world = World()
    await world.hear(told)
    assert world.cut == []
    assert world.loop.dead_letters == []


async def test_nothing_is_cut_for_a_camera_that_needs_no_pictures():
    world = World(thumbnails=False)
    _, ended = await world.hear(*life(3))
    assert (world.cut, ended.outcome, ended.updates) == ([], Outcome.NO_PICTURE, 3)


async def test_a_frame_that_is_gone_gives_no_picture_and_no_fault():
    world = World()
    fail(world.pictures, frame(1), Gone("lost"))
    _, _, ended = await world.hear(*life(2))
    assert [thumbnail.time for thumbnail in ended.pictures.thumbnails] == [at(2)]
    assert world.loop.dead_letters == []


async def test_a_broken_frame_buries_its_event_and_the_next_one_catches_up():
    world = World()
    fail(world.pictures, frame(2), Poison("bad picture", "text"))
    await world.hear(event(1), event(2, entered_zones=("lawn",)), event(3, entered_zones=("lawn",)))
    assert [letter.reason for letter in world.loop.dead_letters] == ["bad picture"]
    assert [told.reason for told in world.said(Sighting)] == [Reason.SEEN, Reason.ZONES]


async def test_an_outage_of_the_store_is_no_ones_fault():
    world = World()
    fail(world.pictures, frame(1), Outage("store"))
    with pytest.raises(Outage, match="store"):
        await world.hear(event(1))
    assert world.known is None


async def test_a_parked_object_costs_nothing_all_day():
    world = World()
    await world.hear(start(), event(1))
    parked = [event(60 * minute, stationary=True, motionless_count=600 * minute) for minute in range(1, 1441)]
    await world.hear(parked[0])
    before = world.known
    await world.hear(*parked[1:])
    assert isinstance(before, Tracking)
    assert world.known == replace(
        before, facts=replace(before.facts, frame_time=at(86_400)), deadline=at(86_400) + RETENTION.open_objects
    )
    assert (len(world.cut), len(world.said(Sighting))) == (1, 1)


async def test_the_same_frame_twenty_times_is_cut_once_and_told_once():
    world = World()
    await world.hear(*[event(1)] * 20)
    assert (len(world.cut), len(world.said(Sighting))) == (1, 1)


async def test_an_update_older_than_the_newest_changes_nothing():
    world = World()
    await world.hear(event(1), event(20))
    before = world.known
    await world.hear(event(10, score=0.99, entered_zones=("lawn",)))
    assert (world.known, len(world.said(Sighting))) == (before, 1)


async def test_zones_are_told_when_one_is_entered():
    world = World()
    told = await world.hear(event(1), event(2, entered_zones=("lawn",)), event(3, entered_zones=("lawn",)))
    assert [(each.reason, each.facts.zones) for each in told] == [(Reason.SEEN, ()), (Reason.ZONES, ("lawn",))]


async def test_a_better_picture_is_told():
    world = World()
    told = await world.hear(event(1, score=0.6), event(2, score=0.6), event(3, score=0.9))
    assert [each.reason for each in told] == [Reason.SEEN, Reason.PICTURE]
    assert told[1].pictures.best.time == at(3)


async def test_the_frame_that_upstream_calls_the_best_is_told():
    best = BestFrame(frame_time=at(2), box=Box(0, 0, 1, 1), area=1, score=0.1)
    told = await World().hear(event(1), event(2, best=best), *[event(second, best=best) for second in range(3, 9)])
    assert [each.reason for each in told] == [Reason.SEEN, Reason.PICTURE]


async def test_the_first_usable_picture_may_come_after_the_start():
    told = await World().hear(start(false_positive=False, frame=None), event(1))
    assert [(each.reason, each.pictures.best is None) for each in told] == [
        (Reason.SEEN, True),
        (Reason.PICTURE, False),
    ]


async def test_upstreams_own_thumbnail_is_the_best_picture():
    upstreams, snapshot = picture("upstreams"), picture("snapshot")
    *_, ended = await World().hear(event(1), end(2, thumbnail=upstreams, snapshot=snapshot))
    assert (ended.pictures.best, ended.pictures.snapshot) == (upstreams, snapshot)
    assert len(ended.pictures.thumbnails) == 1


async def test_a_false_positive_is_never_spoken_of():
    world = World()
    assert await world.hear(start(), end(1, false_positive=True)) == []
    assert world.known == Ended(outcome=Outcome.FALSE_POSITIVE, deadline=at(1) + RETENTION.ended)


async def test_what_comes_after_the_end_changes_nothing():
    world = World()
    await world.hear(*life(2))
    before, said, cut = world.known, len(world.said(Sighting)), world.cut
    await world.hear(event(1), event(9), end(9), start())
    assert (world.known, len(world.said(Sighting)), world.cut) == (before, said, cut)


async def test_an_end_without_start_is_told_by_what_it_says_itself():
    (ended,) = await World().hear(end(5, thumbnail=picture("upstreams")))
    assert (ended.reason, ended.outcome, ended.facts.start_time) == (Reason.ENDED, Outcome.DONE, at(0))


async def test_an_end_whose_frame_is_older_than_the_last_update_is_an_end():
    *_, ended = await World().hear(event(5), end(4))
    assert (ended.reason, ended.facts.frame_time, ended.facts.end_time) == (Reason.ENDED, at(5), at(4))


@pytest.mark.parametrize("source", [Source.MANUAL, Source.AUDIO, Source.PLATE])
async def test_what_was_never_tracked_has_upstreams_pictures_and_no_box(source):
    plain = {"source": source, "box": None, "frame": None}
    told = await World().hear(start(false_positive=False, **plain), end(30, snapshot=picture("snapshot"), **plain))
    assert [(each.reason, each.outcome) for each in told] == [
        (Reason.SEEN, Outcome.OPEN),
        (Reason.ENDED, Outcome.DONE),
    ]
    assert told[-1].pictures.best == picture("snapshot")


async def test_a_lost_end_is_noticed():
    world = World()
    await world.hear(start(), event(1))
    await world.loop.advance(at(1) + 12 * HOUR - 1)
    assert len(world.said(Sighting)) == 1
    await world.loop.advance(at(1) + 12 * HOUR)
    ended = world.said(Sighting)[-1]
    assert (ended.reason, ended.outcome, ended.facts.end_time) == (Reason.ENDED, Outcome.ABANDONED, at(1))
    assert len(ended.pictures.thumbnails) == 1


async def test_an_end_is_forgotten_in_the_end():
    world = World()
    await world.hear(*life(1))
    await world.loop.advance(at(2) + 8 * DAY - 1)
    assert isinstance(world.known, Ended)
    await world.loop.advance(at(2) + 8 * DAY)
    assert world.loop.table("track") == {}


async def test_the_objects_of_a_removed_camera_are_given_up():
    world = World()
    await world.hear(event(1))
    world.cameras.remove("porch")
    *_, ended = await world.hear(event(2))
    assert (ended.reason, ended.outcome) == (Reason.ENDED, Outcome.ABANDONED)
    assert isinstance(world.known, Ended)
    assert len(world.cut) == 1


async def test_an_end_on_a_removed_camera_is_an_end():
    world = World()
    await world.hear(event(1))
    world.cameras.remove("porch")
    *_, ended = await world.hear(end(2))
    assert (ended.reason, ended.outcome) == (Reason.ENDED, Outcome.DONE)


async def test_nothing_new_is_made_of_a_removed_camera():
    world = World()
    world.cameras.remove("porch")
    assert await world.hear(*life(2)) == []
    assert (world.cut, world.known) == ([], None)


async def test_a_null_event_is_passed_over():
    world = World()
    await world.hear(event(1))
    before = world.known
    await world.loop.send(Tombstone(of=Event, name=OBJECT))
    assert (world.known, world.loop.dead_letters) == (before, [])


async def test_crops_are_cut_where_they_are_wanted_and_ended_with_the_object():
    world = World(thumbnails=False, crops=True)
    world.cameras.put(Camera(name="porch", motion_mask="0,0,1,1"))
    await world.hear(start(), event(1), event(2, stationary=True), event(3), end(4))
    first, second, last = world.said(Crop)
    assert [(crop.attempt, crop.frame_time, crop.mask) for crop in (first, second)] == [
        (0, at(1), "0,0,1,1"),
        (1, at(3), "0,0,1,1"),
    ]
    assert (first.frame_box, first.box) == (Box(528, 248, 752, 472), Box(72, 52, 152, 172))
    assert (last.picture, last.ended, last.attempt) == (None, True, 2)
    assert world.cut == [f"objects/{OBJECT}/crop-{at(second)}.jpg" for second in (1, 3)]


async def test_an_object_without_crops_has_no_last_one():
    world = World(crops=False)
    await world.hear(*life(2))
    assert world.said(Crop) == []


async def test_a_crop_whose_frame_is_gone_is_no_attempt():
    world = World(thumbnails=False, crops=True)
    fail(world.pictures, frame(1), Gone("lost"))
    await world.hear(event(1), event(2))
    assert [crop.attempt for crop in world.said(Crop)] == [0]
