from streams.domain.messages import Recordings
from streams.domain.values import SECOND, Segment
from streams.sources.recorder import Recorder
from tests.support.outlets import ListOutlet, MemoryCut

T0 = 1_764_000_000 * SECOND


def recorder(*cuts):
    outlet = ListOutlet()
    return Recorder("yard", iter(cuts), started=T0, store=outlet.store, outlet=outlet), outlet


def published(outlet):
    return [(message.at - T0, [(s.start - T0, s.end - T0) for s in message.segments]) for message in outlet.messages]


async def test_a_part_is_published_once_the_playback_has_passed_its_end():
    recording, outlet = recorder(MemoryCut(start=0, end=10), MemoryCut(start=10, end=20))
    await recording.advance(T0 + 9 * SECOND)
    assert outlet.messages == []
    await recording.advance(T0 + 10 * SECOND)
    await recording.advance(T0 + 11 * SECOND)
    assert published(outlet) == [(10 * SECOND, [(0, 10 * SECOND)])]


async def test_the_end_of_a_clip_publishes_the_rest():
    recording, outlet = recorder(MemoryCut(start=0, end=10), MemoryCut(start=10, end=10.04))
    await recording.finish(T0 + 10 * SECOND)
    assert len(outlet.messages) == 2


async def test_a_part_is_in_the_store_before_anybody_hears_of_it():
    recording, outlet = recorder(MemoryCut(start=0, end=10, data=b"film", has_audio=True))
    await recording.finish(T0 + 10 * SECOND)
    name = f"recordings/yard/{T0}.mp4"
    assert outlet.store.files == {name: b"film"}
    assert name in outlet.stored[0]
    assert outlet.messages == [
        Recordings(
            camera="yard",
            at=T0 + 10 * SECOND,
            available_through=T0 + 10 * SECOND,
            segments=(Segment(uri=f"memory:///{name}", start=T0, end=T0 + 10 * SECOND, has_audio=True),),
        )
    ]


async def test_a_clip_without_recording_publishes_none():
    recording, outlet = recorder()
    await recording.advance(T0 + SECOND)
    await recording.finish(T0 + SECOND)
    assert outlet.messages == []
