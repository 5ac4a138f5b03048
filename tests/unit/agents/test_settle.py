from dataclasses import replace

from streams.agents.settle import settle
from streams.domain.messages import ObjectRecord, Sighting, Tombstone, TrackedObjectUpdate
from streams.domain.records import Deleted, Settled
from streams.domain.values import Outcome, PictureSet, Reason
from streams.runtime.loopback import Loopback
from tests.support.builders import DAY, OBJECT, RETENTION, at, facts, picture, sighting
from tests.support.toys import counter


class World:
    """`settle` alone on a loopback, fed with sightings."""

    def __init__(self) -> None:
        feeder = counter(name="feeder", consumes=(), produces=(Sighting,), state=())
        self.loop = Loopback([feeder, settle(retention=RETENTION)])

    async def hear(self, *sightings: Sighting) -> None:
        for each in sightings:
            await self.loop.send(each)

    def said(self, kind):
        return [each for each in self.loop.published if isinstance(each, kind)]

    @property
    def known(self) -> object:
        return self.loop.state("settle", OBJECT)


ENDED = sighting(9, reason=Reason.ENDED, outcome=Outcome.DONE, facts=facts(9, end_time=at(9)))


async def test_a_sighting_makes_a_record_and_tells_people():
    world = World()
    await world.hear(sighting(1))
    (record,), (told,) = world.said(ObjectRecord), world.said(TrackedObjectUpdate)
    assert (record.revision, record.outcome, record.facts) == (at(1), Outcome.OPEN, facts(1))
    assert (told.id, told.type, told.reason, told.revision) == (OBJECT, "object", Reason.SEEN, at(1))
    assert world.known == Settled(record=record)


async def test_an_open_record_has_no_deadline():
    world = World()
    await world.hear(sighting(1))
    await world.loop.advance(at(1) + 400 * DAY)
    assert isinstance(world.known, Settled)


async def test_the_same_sighting_twice_is_told_once():
    world = World()
    await world.hear(sighting(1), sighting(1), ENDED, ENDED)
    assert len(world.said(ObjectRecord)) == len(world.said(TrackedObjectUpdate)) == 2


async def test_revisions_strictly_grow():
    world = World()
    for second in (1, 2, 3):
        await world.loop.send(sighting(second), at=at(5))
    assert [record.revision for record in world.said(ObjectRecord)] == [at(5), at(5) + 1, at(5) + 2]


async def test_a_new_picture_makes_a_new_version():
    world = World()
    better = sighting(2, reason=Reason.PICTURE, pictures=PictureSet(best=picture("better")))
    await world.hear(sighting(1), better)
    assert world.said(ObjectRecord)[-1].pictures.best == picture("better")
    assert [told.reason for told in world.said(TrackedObjectUpdate)] == [Reason.SEEN, Reason.PICTURE]


async def test_what_comes_after_the_end_changes_nothing():
    world = World()
    await world.hear(sighting(1), ENDED)
    before = world.known
    await world.hear(sighting(1), sighting(20))
    assert (world.known, len(world.said(ObjectRecord))) == (before, 2)


async def test_a_record_is_deleted_when_its_time_has_come():
    world = World()
    await world.hear(sighting(1), ENDED)
    await world.loop.advance(at(9) + 30 * DAY - 1)
    assert world.said(Tombstone) == []
    await world.loop.advance(at(9) + 30 * DAY)
    now = at(9) + 30 * DAY
    assert world.said(Tombstone) == [Tombstone(of=ObjectRecord, name=OBJECT, at=now)]
    told = world.said(TrackedObjectUpdate)[-1]
    assert (told.reason, told.revision, told.id) == (Reason.DELETED, now, OBJECT)
    assert world.known == Deleted(revision=now, deadline=now + 8 * DAY)


async def test_nothing_late_brings_a_deleted_object_back():
    world = World()
    await world.hear(ENDED)
    await world.loop.advance(at(9) + 30 * DAY)
    before, said = world.known, len(world.loop.published)
    await world.hear(ENDED, sighting(99), replace(ENDED, updates=7))
    assert (world.known, len(world.loop.published)) == (before, said)


async def test_a_deletion_is_forgotten_in_the_end():
    world = World()
    await world.hear(ENDED)
    await world.loop.advance(at(9) + 38 * DAY)
    assert world.loop.table("settle") == {}
