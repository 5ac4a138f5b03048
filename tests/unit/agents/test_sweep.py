from streams.agents.sweep import sweep
from streams.domain.agent import Step
from streams.domain.messages import ObjectRecord, Tombstone
from streams.domain.values import Box
from tests.support.builders import at, frame, record
from tests.support.fake_pictures import FakePictures
from tests.support.footage import show


async def album(*names: str) -> FakePictures:
    pictures = FakePictures()
    show(pictures, frame())
    for name in names:
        await pictures.cut(frame(), Box(0, 0, 4, 4), name=name)
    return pictures


async def test_a_deleted_record_takes_the_pictures_of_its_object_along_and_no_others():
    pictures = await album("objects/a/thumb-1.jpg", "objects/a/crop-1.jpg", "objects/ab/thumb-1.jpg")
    step = await sweep(pictures=pictures).handle(None, Tombstone(of=ObjectRecord, name="a"), at(1))
    assert step == Step(None)
    assert await pictures.remove("objects/a") == 0
    assert await pictures.remove("objects/ab") == 1


async def test_a_record_takes_nothing():
    pictures = await album("objects/a/thumb-1.jpg")
    await sweep(pictures=pictures).handle(None, record(1, object_id="a"), at(1))
    assert await pictures.remove("objects/a") == 1


async def test_sweeping_twice_is_sweeping_once():
    pictures = await album("objects/a/thumb-1.jpg")
    agent = sweep(pictures=pictures)
    for _ in range(2):
        await agent.handle(None, Tombstone(of=ObjectRecord, name="a"), at(1))
    assert await pictures.remove("objects") == 0
