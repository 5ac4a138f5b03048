"""The commands of operators on the real broker and registry."""

from __future__ import annotations

import asyncio
import json

import pytest
from confluent_kafka import Consumer, TopicPartition
from typer.testing import CliRunner

from streams.adapters.kafka import client_config
from streams.cli import program
from streams.domain.messages import ObjectRecord, Tombstone
from streams.operations.lags import group_lags
from streams.operations.messages import publishing
from streams.operations.status import overview
from streams.settings import Kafka, Registry, Settings
from tests.support.builders import facts, record


@pytest.fixture
def settings(services, prefix):
    return Settings(
        kafka=Kafka(bootstrap=services.bootstrap, prefix=prefix), registry=Registry(url=services.registry_url)
    )


@pytest.fixture
def run(settings, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    env = {
        "NVR_STREAMS__KAFKA__BOOTSTRAP": settings.kafka.bootstrap,
        "NVR_STREAMS__KAFKA__PREFIX": settings.kafka.prefix,
        "NVR_STREAMS__REGISTRY__URL": settings.registry.url,
        "NVR_STREAMS__WORKER__PORT": "0",
    }

    def running(*args: str) -> str:
        done = CliRunner().invoke(program(), list(args), env=env)
        assert done.exit_code == 0, done.output
        return done.stdout

    return running


@pytest.fixture(autouse=True)
def made(run):
    run("topics", "create")
    run("schemas", "register")


async def publish(settings, *messages):
    async with publishing(settings, "tests") as publisher:
        for message in messages:
            await publisher.publish(message)


def test_cameras_are_set_listed_and_removed(run, tmp_path):
    file = tmp_path / "cameras.yaml"
    file.write_text("cameras: {porch: {detect: {fps: 7}, zones: {steps: {}}}, yard: {}}")
    assert run("cameras", "put", str(file)) == "set porch, yard\n"
    assert [camera["name"] for camera in json.loads(run("cameras", "list", "--json"))] == ["porch", "yard"]
    run("cameras", "remove", "yard")
    (porch,) = json.loads(run("cameras", "list", "--json"))
    assert (porch["detect"]["fps"], porch["zones"]) == (7, ["steps"])
    changes = [json.loads(line) for line in run("tail", "cameras", "--once", "--key", "yard").splitlines()]
    assert changes[-1]["message"] is None


def test_objects_are_listed_as_they_stand(run, settings):
    first, second = (
        record(3, object_id="first"),
        record(5, object_id="second", facts=facts(5, start_time=0, label="car")),
    )
    changed = record(9, object_id="first", description="someone with a parcel")
    gone = (record(3, object_id="gone"), Tombstone(of=ObjectRecord, name="gone"))
    asyncio.run(publish(settings, first, second, changed, *gone))
    listed = json.loads(run("objects", "list", "--json"))
    assert [each["object_id"] for each in listed] == ["first", "second"]
    assert [each["object_id"] for each in json.loads(run("objects", "list", "--label", "car", "--json"))] == ["second"]
    assert json.loads(run("objects", "show", "first"))["description"] == "someone with a parcel"
    table = run("objects", "list").splitlines()
    assert table[1].split()[:3] == ["first", "person", "porch"]


def test_lag_is_told_without_a_worker_from_what_was_committed(settings):
    prefix = settings.kafka.prefix
    topic, group = f"{prefix}-objects", f"{prefix}-probe"
    asyncio.run(publish(settings, *(record(second, object_id="lagging") for second in range(1, 6))))
    everything = group_lags(settings.kafka, {group: [topic]})[group]
    assert everything is not None
    consumer = Consumer({**client_config(settings.kafka), "group.id": group, "enable.auto.commit": False})
    spots = [TopicPartition(topic, partition) for partition in range(settings.kafka.partitions)]
    ends = {spot.partition: consumer.get_watermark_offsets(spot)[1] for spot in spots}
    behind = max(ends, key=lambda partition: ends[partition])
    consumer.commit(
        offsets=[TopicPartition(topic, p, end - 2 if p == behind else end) for p, end in ends.items()],
        asynchronous=False,
    )
    consumer.close()
    assert group_lags(settings.kafka, {group: [topic]}) == {group: 2}


def test_status_knows_the_lag_of_every_agent_though_no_worker_runs(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = overview(settings)
    assert found.kafka is None
    assert all(row.lag is not None for row in found.agents)
