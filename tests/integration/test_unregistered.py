"""A worker whose schemas nobody registered: it registers nothing by itself, waits, says the cure, and goes on."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient

from streams.adapters.codec import subject_of
from streams.adapters.kafka import producer_config
from streams.adapters.registry import Registry
from streams.adapters.schema_files import SchemaFiles
from streams.domain.messages import Event, Sighting
from streams.operations.reading import whole
from streams.operations.schemas import register
from tests.support.builders import OBJECT, life
from tests.support.qdrant_front import Front
from tests.support.sites import Site, site


@contextmanager
def worker(running: Site) -> Iterator[str]:
    """The program itself, one agent of it; gives the address of its health."""
    environment = {**os.environ, "NVR_STREAMS__WORKER__NAME": "w", "NVR_STREAMS__EMBEDDING__ENABLED": "false"}
    environment |= {"NVR_STREAMS__WORKER__DATA": str(running.folder), "NVR_STREAMS__LOG__FORMAT": "json"}
    command = [
        sys.executable,
        "-m",
        "streams.cli",
        "--config",
        str(running.folder / "settings.yaml"),
        "worker",
        "track",
    ]
    log = running.folder / "worker.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    try:
        yield until(lambda: re.search(r"url\W+(http:[^\"]+)\W+event\W+health", log.read_text()), running)[1]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def until(look, running: Site, seconds: float = 40):
    """What `look` finds; it is asked again while it finds nothing."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, running.logs()
        time.sleep(0.2)
    return found


def sightings(running: Site) -> list[bytes | None]:
    return [each.key for each in whole(running.settings.kafka, running.catalogue.topic_name(Sighting))]


@pytest.fixture
def running(services, prefix, tmp_path) -> Iterator[Site]:
    """Everything is in place but the schema of what `track` writes."""
    with Front() as front, site(services, prefix, tmp_path, front.url) as there:
        with SchemaRegistryClient({"url": services.registry_url}) as client:
            client.delete_subject(subject_of(there.catalogue.topic_name(Sighting)))
        yield there


def test_what_waits_for_a_schema_is_told_with_the_cure_and_goes_on_once_it_is_there(running: Site) -> None:
    topic, subject = running.catalogue.topic_name(Event), subject_of(running.catalogue.topic_name(Sighting))
    producer = Producer(producer_config(running.settings.kafka))
    for each in life(1):
        producer.produce(topic, asyncio.run(running.codec.encode(topic, each)), OBJECT)
    assert producer.flush(30) == 0
    with worker(running) as url, Registry(running.settings.registry) as registry:
        (waiting,) = until(
            lambda: [w for a in httpx.get(f"{url}/api/status").json()["agents"] for w in a["waiting"]], running
        )
        assert waiting["what"] == "registry"
        assert waiting["why"].endswith(
            f"{subject} is not registered as in our files; run: nvr-streams schemas register"
        )
        assert waiting["why"] in (running.folder / "worker.log").read_text()
        assert sightings(running) == []
        assert asyncio.run(registry.versions(subject)) == []
        asyncio.run(
            register(registry, [running.catalogue.topic(running.catalogue.topic_name(Sighting))], SchemaFiles())
        )
        until(lambda: len(sightings(running)) == 2, running)
