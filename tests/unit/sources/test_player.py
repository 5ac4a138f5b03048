import asyncio
from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest

from streams.domain.cameras import Camera, Detect, ObjectFilter, Record, Snapshots, TrackedObjects
from streams.domain.errors import Outage, Poison
from streams.domain.messages import Detections, Event, Recordings
from streams.domain.values import SECOND, Box, Phase, PixelFormat
from streams.sources.clips import Clip
from streams.sources.feed import ENDS_KEPT, Tally
from streams.sources.player import Pace, Player
from tests.support.outlets import ListOutlet, MemoryCut, SquareEye, clip, square_at

T0 = 1_764_000_000 * SECOND
CAMERA = Camera(
    name="yard",
    detect=Detect(fps=5, max_disappeared=3),
    objects=TrackedObjects(track=("person",), filters={"person": ObjectFilter(threshold=0.6)}),
    snapshots=Snapshots(enabled=True),
    record=Record(enabled=True),
)
WALK = tuple(range(0, 240, 20))


class Stage:
    """A player over in-memory twins."""

    def __init__(self, *, speed=0.0, camera=CAMERA, score=0.8):
        self.outlet, self.stop, self.eye = ListOutlet(), asyncio.Event(), SquareEye(score=score)
        self.heard = []
        self.player = Player(
            camera=camera,
            eye=self.eye,
            store=self.outlet.store,
            outlet=self.outlet,
            pace=Pace(speed=speed, stop=self.stop),
            started=T0,
            progress=self.progress,
        )
        self.stop_after = None

    def progress(self, camera, tally):
        self.heard.append((camera, tally.frames))
        if tally.frames == self.stop_after:
            self.stop.set()

    def events(self, phase=None):
        return [m for m in self.outlet.messages if isinstance(m, Event) and phase in {None, m.phase}]

    def detections(self):
        return [m for m in self.outlet.messages if isinstance(m, Detections)]


async def played(*clips, **stage):
    on = Stage(**stage)
    await on.player.play(clips)
    return on


async def test_a_walk_makes_one_object_with_start_updates_and_end():
    stage = await played(clip(WALK))
    assert {event.object_id for event in stage.events()} == {stage.events()[0].object_id}
    phases = [event.phase for event in stage.events()]
    assert phases[0] is Phase.START
    assert phases[-1] is Phase.END
    assert set(phases[1:-1]) == {Phase.UPDATE}
    assert stage.player.tally.objects == 1
    assert stage.player.tally.ended == stage.events(Phase.END)
    assert stage.player.tally.true_positives == {"person": 1}


async def test_every_frame_makes_one_detections_message_after_its_events():
    stage = await played(clip(WALK))
    assert [message.frame_time for message in stage.detections()] == [T0 + n * SECOND // 5 for n in range(12)]
    start, *_ = stage.events()
    place = stage.outlet.messages.index(start)
    assert isinstance(stage.outlet.messages[place + 1], Detections)
    assert stage.outlet.messages[place + 1].frame_time == start.frame_time
    assert [seen.object_id for seen in stage.outlet.messages[place + 1].objects] == [start.object_id]


async def test_frames_are_kept_only_where_something_is_seen_or_moves():
    stage = await played(clip([None, None, None]))
    assert stage.outlet.store.files == {}
    assert [message.frame for message in stage.detections()] == [None] * 3
    assert stage.eye.pictures == 3


async def test_whatever_a_message_refers_to_is_in_the_store_before_the_message():
    stage = await played(clip(WALK, cuts=[MemoryCut(start=0, end=1), MemoryCut(start=1, end=2.4)]))
    for message, stored in zip(stage.outlet.messages, stage.outlet.stored, strict=True):
        refs = [getattr(message, name, None) for name in ("frame", "snapshot", "thumbnail")]
        uris = [ref.uri for ref in refs if ref] + [segment.uri for segment in getattr(message, "segments", ())]
        assert {uri.removeprefix("memory:///") for uri in uris} <= stored


async def test_the_end_has_snapshot_and_thumbnail_of_the_best_frame():
    stage = await played(clip(WALK))
    (end,) = stage.events(Phase.END)
    assert (end.has_snapshot, end.has_clip) == (True, True)
    assert end.snapshot.uri == f"memory:///snapshots/yard/{end.object_id}.jpg"
    assert end.thumbnail.uri == f"memory:///thumbs/yard/{end.object_id}.webp"
    assert end.thumbnail.format is PixelFormat.WEBP
    assert end.snapshot.time == end.thumbnail.time == end.best.frame_time
    assert all(event.snapshot is event.thumbnail is None for event in stage.events() if event is not end)


async def test_a_camera_without_snapshots_gets_a_thumbnail_for_its_clip_and_no_snapshot():
    stage = await played(clip(WALK), camera=replace(CAMERA, snapshots=Snapshots(enabled=False)))
    (end,) = stage.events(Phase.END)
    assert end.snapshot is None
    assert end.thumbnail is not None


async def test_a_false_positive_ends_without_pictures_and_without_updates():
    stage = await played(clip(WALK), score=0.5)
    assert [event.phase for event in stage.events()] == [Phase.START, Phase.END]
    (end,) = stage.events(Phase.END)
    assert end.false_positive
    assert not stage.player.tally.true_positives
    assert end.thumbnail is end.snapshot is None


async def test_a_cut_of_the_film_ends_its_objects_and_what_follows_is_new():
    red = np.zeros((240, 320, 3), np.uint8)
    red[:, :, 2] = 200
    scenes = [square_at(100)] * 6, [np.where(square_at(100) == 255, 255, red).astype(np.uint8)] * 6
    film = [picture for scene in scenes for picture in scene]
    stage = await played(
        Clip(name="cut", frames=lambda: ((number / 5, picture) for number, picture in enumerate(film)))
    )
    before, after = stage.events(Phase.END)
    assert before.end_time == T0 + 6 * SECOND // 5
    assert after.start_time > before.end_time


async def test_an_object_that_leaves_ends_in_the_frame_in_which_patience_is_over():
    stage = await played(clip([*WALK, *[None] * 8]))
    (end,) = stage.events(Phase.END)
    assert end.frame_time == T0 + 11 * SECOND // 5
    assert end.end_time == T0 + 15 * SECOND // 5


async def test_boxes_count_in_the_frames_own_size_whatever_the_camera_says():
    stage = await played(clip(WALK))
    assert stage.events()[0].path_data == ()
    assert stage.events()[1].path_data[0].y == pytest.approx(140 / 240, abs=1e-3)


async def test_a_video_that_changes_its_size_is_played_to_its_end():
    sizes = [(320, 240)] * 6 + [(240, 320)] * 6
    pictures = [square_at(20, width=width, height=height) for width, height in sizes]
    odd = Clip(name="odd", frames=lambda: ((number / 5, picture) for number, picture in enumerate(pictures)))
    stage = await played(odd)
    assert len(stage.detections()) == 12
    assert {(m.frame.width, m.frame.height) for m in stage.detections() if m.frame} == {(320, 240)}


async def test_the_same_playback_makes_the_same_messages():
    once, again = await played(clip(WALK)), await played(clip(WALK))
    assert once.outlet.messages == again.outlet.messages


async def test_clips_follow_one_another_in_time_and_objects_end_with_their_clip():
    stage = await played(clip(WALK), clip(WALK))
    times = [message.frame_time for message in stage.detections()]
    assert times == [T0 + n * SECOND // 5 for n in range(24)]
    first, second = stage.events(Phase.END)
    assert first.object_id != second.object_id
    assert first.end_time == T0 + 12 * SECOND // 5


async def test_recordings_are_published_as_the_playback_reaches_them():
    stage = await played(clip(WALK, cuts=[MemoryCut(start=0, end=1), MemoryCut(start=1, end=2.4)]))
    recordings = [m for m in stage.outlet.messages if isinstance(m, Recordings)]
    assert [m.available_through - T0 for m in recordings] == [SECOND, round(2.4 * SECOND)]
    assert [m.at - T0 for m in recordings] == [SECOND, round(2.4 * SECOND)]


async def test_when_it_is_time_to_stop_open_objects_end_and_nothing_else_is_played():
    stage = Stage()
    stage.stop_after = 5
    await stage.player.play(cycle([clip(WALK, cuts=[MemoryCut(start=0, end=2.4)])]))
    assert len(stage.detections()) == 5
    (end,) = stage.events(Phase.END)
    assert end.end_time > end.frame_time
    assert not any(isinstance(message, Recordings) for message in stage.outlet.messages)


async def test_real_time_takes_as_long_as_the_video_and_speed_divides_it():
    clock = asyncio.get_running_loop().time
    began = clock()
    await played(clip([None] * 5), speed=4.0)
    assert 0.19 <= clock() - began < 1.0


async def test_a_stop_while_waiting_for_the_next_frame_is_immediate():
    stage = Stage(speed=0.001)
    asyncio.get_running_loop().call_later(0.05, stage.stop.set)
    await asyncio.wait_for(stage.player.play([clip(WALK)]), timeout=5)
    assert len(stage.detections()) == 1


async def test_progress_hears_of_every_frame_and_how_many_there_will_be():
    stage = await played(clip(WALK), clip(WALK))
    assert stage.heard == [("yard", number) for number in range(1, 25)]
    assert stage.player.tally.expected == 24


async def test_of_a_playback_without_end_only_the_newest_ends_are_remembered():
    (end,) = (await played(clip(WALK))).events(Phase.END)
    tally = Tally()
    for number in range(ENDS_KEPT + 5):
        tally.end(replace(end, object_id=str(number)))
    assert tally.true_positives["person"] == ENDS_KEPT + 5
    assert [event.object_id for event in tally.ended[:: ENDS_KEPT - 1]] == ["5", str(ENDS_KEPT + 4)]
    assert len(tally.ended) == ENDS_KEPT


async def test_detections_tell_where_the_detector_looked():
    stage = await played(clip([None]))
    assert stage.detections()[0].regions == (Box(0, 0, 320, 240),)


async def test_an_outage_of_the_topics_ends_the_playback():
    stage = Stage()
    stage.outlet.fails_after = 4
    with pytest.raises(Outage, match="no broker answers"):
        await stage.player.play([clip(WALK)])


async def test_a_clip_that_cannot_be_read_says_so():
    def unreadable():
        raise Poison("bad video", "notes.txt")

    with pytest.raises(Poison, match=r"bad video: notes\.txt"):
        await Stage().player.play([Clip(name="notes", frames=unreadable)])
