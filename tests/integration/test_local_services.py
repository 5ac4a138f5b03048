"""The real broker and registry, started in a folder of their own: what `nvr-streams local` promises."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
import yaml
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from streams.operations.local import LocalServices, Running, ServiceStatus
from streams.operations.local_processes import until
from tests.support.services import LIBS, ROOT, Services, shared_services

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

SCHEMA = '{"type": "record", "name": "Seen", "fields": [{"name": "label", "type": "string"}]}'


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalServices]:
    services = LocalServices(tmp_path / "local", libs=LIBS, kafka_port=0, registry_port=0)
    yield services
    services.wipe()


def register(running: Running, subject: str) -> int:
    answer = httpx.post(f"{running.registry_url}/subjects/{subject}/versions", json={"schema": SCHEMA})
    return int(answer.raise_for_status().json()["id"])


def produce(running: Running, topic: str, value: bytes) -> None:
    admin = AdminClient({"bootstrap.servers": running.bootstrap})
    admin.create_topics([NewTopic(topic, num_partitions=1)])[topic].result(timeout=30)
    producer = Producer({"bootstrap.servers": running.bootstrap})
    producer.produce(topic, value)
    assert producer.flush(30) == 0


def first(running: Running, topic: str) -> bytes | None:
    consumer = Consumer({"bootstrap.servers": running.bootstrap, "group.id": "reader", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    message = consumer.poll(30)
    consumer.close()
    return message.value() if message else None


def kill(service: ServiceStatus) -> None:
    victim = psutil.Process(service.pid)
    victim.kill()
    assert until(lambda: not victim.is_running() or victim.status() == psutil.STATUS_ZOMBIE, seconds=10)


def states(services: LocalServices) -> tuple[str, ...]:
    return tuple(service.state for service in services.status())


def test_topics_and_schema_ids_outlive_down_and_up(local):
    before = local.up()
    told = yaml.safe_load(before.settings.read_text())
    assert told == {"kafka": {"bootstrap": before.bootstrap}, "registry": {"url": before.registry_url}}
    produce(before, "kept", b"still here")
    number = register(before, "kept-value")

    local.down()
    assert states(local) == ("stopped", "stopped")

    after = local.up()
    assert first(after, "kept") == b"still here"
    found = httpx.get(f"{after.registry_url}/schemas/ids/{number}").raise_for_status().json()
    assert yaml.safe_load(found["schema"]) == yaml.safe_load(SCHEMA)
    assert register(after, "kept-value") == number


def test_killed_services_are_noticed_and_come_back_at_the_same_ports_with_what_was_acknowledged(local):
    before = local.up()
    produce(before, "kept", b"still here")
    number = register(before, "kept-value")
    kafka, registry = local.status()
    kill(kafka)
    assert states(local) == ("crashed", "ready")
    kill(registry)
    assert states(local) == ("crashed", "crashed")

    told: list[str] = []
    after = local.up(told.append)
    assert after == before
    assert sum("had ended by itself" in line for line in told) == 2
    assert first(after, "kept") == b"still here"
    assert register(after, "another-value") == number


def test_commands_at_the_same_time_start_each_service_once(local, tmp_path):
    others = [LocalServices(tmp_path / "local", libs=LIBS, kafka_port=0, registry_port=0) for _ in range(2)]
    with ThreadPoolExecutor() as pool:
        one, two = pool.map(lambda services: services.up(), others)
    assert one == two
    assert len(running_in(tmp_path)) == 2
    pids = [service.pid for service in local.status()]
    told: list[str] = []
    assert local.up(told.append) == one
    assert all("already runs" in line for line in told)
    assert [service.pid for service in local.status()] == pids


def test_ports_in_use_are_left_to_their_owners_and_only_loopback_is_listened_on(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        taken = [server.getsockname()[1] for server in (one, two)]
        services = LocalServices(tmp_path, libs=LIBS, kafka_port=taken[0], registry_port=taken[1])
        try:
            running = services.up()
            assert str(taken[0]) not in running.bootstrap
            assert str(taken[1]) not in running.registry_url
            assert {address for service in services.status() for address in listening(service)} == {"127.0.0.1"}
        finally:
            services.wipe()
    assert not (tmp_path / "kafka").exists()
    assert not (tmp_path / "settings.yaml").exists()


def test_no_topic_is_made_by_asking_for_it(services, prefix):
    admin = AdminClient({"bootstrap.servers": services.bootstrap})
    admin.list_topics(f"{prefix}-typo", timeout=30)
    assert f"{prefix}-typo" not in admin.list_topics(timeout=30).topics


def test_what_was_started_outlives_the_command_and_an_interrupted_start_leaves_nothing(tmp_path):
    command = [sys.executable, "-c", "from streams.cli.local import commands; commands()()"]
    where = ["--folder", str(tmp_path)]
    (tmp_path / "libs").symlink_to(LIBS)
    up = subprocess.Popen([*command, "up", *where], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    with up:
        assert any("starting Apache Kafka" in line for line in up.stderr)
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=60)
    assert up.returncode != 0
    assert states(LocalServices(tmp_path)) == ("stopped", "stopped")
    assert not running_in(tmp_path)

    subprocess.run([*command, "up", *where], cwd=ROOT, check=True, capture_output=True)
    try:
        assert states(LocalServices(tmp_path)) == ("ready", "ready")
    finally:
        subprocess.run([*command, "wipe", "--yes", *where], cwd=ROOT, check=True, capture_output=True)
    assert states(LocalServices(tmp_path)) == ("stopped", "stopped")


def test_a_test_run_that_joins_others_leaves_them_their_services(services: Services):
    with shared_services() as joined:
        assert joined == services
    assert httpx.get(f"{services.registry_url}/subjects").is_success


def running_in(folder: Path) -> list[psutil.Process]:
    """Processes that name the folder; one that has ended and that nobody has asked about yet has no command line."""
    there = psutil.process_iter(["name", "cmdline"])
    return [
        each for each in there if each.info["name"] == "java" and str(folder) in " ".join(each.info["cmdline"] or ())
    ]


def listening(service: ServiceStatus) -> set[str]:
    found = psutil.Process(service.pid).net_connections("tcp")
    return {at.laddr.ip.removeprefix("::ffff:") for at in found if at.status == psutil.CONN_LISTEN}
