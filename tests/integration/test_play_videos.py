"""The sample video, played into the real broker and registry."""

import asyncio
import json
import signal
import sys
import time
from collections import Counter
from subprocess import PIPE, Popen

import cv2
import numpy as np
import pytest

from streams.adapters.catalogue import Catalogue
from streams.adapters.registry import Registry
from streams.adapters.schema_files import SchemaFiles
from streams.adapters.store import Store
from streams.domain.cameras import Camera
from streams.domain.messages import Detections, Event, Recordings
from streams.domain.values import SECOND, Phase
from streams.files import shipped
from streams.operations.messages import decoder
from streams.operations.play import PlayOptions, play
from streams.operations.reading import whole
from streams.operations.schemas import register
from streams.operations.topics import create
from streams.settings import Settings

T0 = 1_764_000_000 * SECOND
BIKES = shipped("infra", "demo", "bikes.mp4")


@pytest.fixture
async def settings(services, prefix, tmp_path):
    told = Settings(
        kafka={"bootstrap": services.bootstrap, "prefix": prefix},
        registry={"url": services.registry_url},
        store={"url": f"file://{tmp_path}/store"},
    )
    topics = Catalogue(prefix).topics(["mini"])
    create(told.kafka, topics)
    with Registry(told.registry) as registry:
        await register(registry, topics, SchemaFiles())
    return told


async def played(settings, **options):
    return await play(
        settings,
        [BIKES],
        PlayOptions(start=T0, speed=0, **options),
        stop=asyncio.Event(),
        progress=lambda *_: None,
    )


async def read(settings, message):
    with decoder(settings) as codecs:
        return [await codecs.decode(record) for record in whole(settings.kafka, codecs.topic_of(message))]


async def test_the_sample_video_becomes_events_detections_recordings_and_a_camera(settings):
    report = await played(settings)
    events = await read(settings, Event)
    detections = await read(settings, Detections)
    recordings = await read(settings, Recordings)
    (camera,) = await read(settings, Camera)
    assert report.messages == len(events) + len(detections) + len(recordings) + 1
    assert (camera.name, camera.detect.width, camera.detect.height, camera.detect.fps) == ("bikes", 640, 272, 5)
    assert [message.frame_time for message in detections] == [T0 + n * SECOND // 5 for n in range(50)]
    assert recordings[-1].available_through == T0 + 10 * SECOND
    ends = [event for event in events if event.phase is Phase.END]
    assert {event.object_id for event in ends} == {event.object_id for event in events}
    found = Counter(event.label for event in ends if not event.false_positive)
    assert found["person"] >= 3
    assert found["bicycle"] >= 2
    assert found["car"] >= 4
    store = Store(settings.store)
    for event in ends:
        for ref in filter(None, (event.frame, event.snapshot, event.thumbnail)):
            picture = cv2.imdecode(np.frombuffer(await store.read(ref.uri), np.uint8), cv2.IMREAD_COLOR)
            assert picture.shape == (ref.height, ref.width, 3)


async def test_a_camera_that_is_set_keeps_its_settings_and_is_not_announced_again(settings):
    await played(settings)
    report = await played(settings, camera="bikes")
    assert len(await read(settings, Camera)) == 1
    assert report.cameras["bikes"].frames == 50


async def test_the_same_playback_again_writes_the_same_records(settings):
    await played(settings)
    once = [(record.key, record.value, record.headers) for record in whole(settings.kafka, _events(settings))]
    await played(settings)
    again = [(record.key, record.value, record.headers) for record in whole(settings.kafka, _events(settings))]
    assert Counter(again) == Counter([*once, *once])


async def test_at_ctrl_c_open_objects_end_everything_is_acknowledged_and_the_exit_code_is_130(settings, tmp_path):
    command = commanded(settings, tmp_path, str(BIKES), "--loop", "--json")
    wait_for_events(settings)
    command.send_signal(signal.SIGINT)
    output, errors = command.communicate(timeout=30)
    assert (command.returncode, errors) == (130, "")
    report = json.loads(output)
    assert report["stopped"]
    events = await read(settings, Event)
    ended = {event.object_id for event in events if event.phase is Phase.END}
    assert (
        ended
        == {event.object_id for event in events}
        == {event["object_id"] for event in report["cameras"]["bikes"]["ended"]}
    )
    assert report["messages"] == sum(
        [len(await read(settings, kind)) for kind in (Event, Detections, Recordings, Camera)]
    )


def commanded(settings, folder, *words):
    config = folder / "settings.yaml"
    config.write_text(
        json.dumps(
            {
                "kafka": {"bootstrap": settings.kafka.bootstrap, "prefix": settings.kafka.prefix},
                "registry": {"url": settings.registry.url},
                "store": {"url": settings.store.url},
            }
        )
    )
    program = [sys.executable, "-c", "from streams.cli import main; main()", "--config", str(config), "play", *words]
    return Popen(program, stdout=PIPE, stderr=PIPE, text=True)


def wait_for_events(settings, *, seconds=60):
    deadline = time.monotonic() + seconds
    while not any(whole(settings.kafka, _events(settings))):
        assert time.monotonic() < deadline, "nothing was played"
        time.sleep(0.2)


def _events(settings):
    return Catalogue(settings.kafka.prefix).topic_name(Event)
