"""The two local services, each as a value: how it is prepared, started, and asked whether it is ready."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.domain.errors import Outage
from streams.files import shipped

HOST = "127.0.0.1"
_ANSWER = 2.0
"""Seconds that a ready service takes at most to answer a trivial question on a busy machine."""
# One core's worth of everything: quick to start and small, not fast for ever.
_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")
_BROKER = {
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # One machine, few members: nothing to wait for, and a killed worker may be noticed within a second.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # A broker that was killed comes back when its old session is over: 9 s by default.
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "4000",
    # Retention and compaction are seen to work within seconds where a topic asks for it.
    "log.initial.task.delay.ms": "1000",
    "log.retention.check.interval.ms": "5000",
    "log.cleaner.backoff.ms": "1000",
    "log.segment.delete.delay.ms": "1000",
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
    "log.index.size.max.bytes": str(2 * 1024 * 1024),
}
"""What is the same for every local broker."""


class Service(Protocol):
    """A program that serves on loopback ports."""

    @property
    def address(self) -> str:
        """What clients are given."""
        ...

    @property
    def ports(self) -> tuple[int, ...]: ...

    def prepare(self, java: str) -> None:
        """Write what the program reads at its start. Raises `Outage` when its data folder cannot be made."""
        ...

    def command(self, java: str, mark: str) -> list[str]: ...

    def ready(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Apache Kafka, broker and controller in one process (KRaft)."""

    libs: Path
    folder: Path
    port: int
    controller: int = 0
    """Port of the controller's listener, which only the broker itself speaks to."""

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.port, self.controller)

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    def prepare(self, java: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(properties(self), encoding="ascii")
        if not (self.folder / "data" / "meta.properties").is_file():
            self._format(java)

    def command(self, java: str, mark: str) -> list[str]:
        return [java, "-Xms128m", "-Xmx448m", mark, *self._java, "kafka.Kafka", str(self._properties)]

    def ready(self) -> bool:
        if not listens(self.port):
            return False
        try:
            # librdkafka complains about every refused connection on standard error otherwise.
            client = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
            return bool(client.list_topics(timeout=_ANSWER).brokers)
        except KafkaException:
            return False

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    @property
    def _java(self) -> tuple[str, ...]:
        logging = f"-Dlog4j2.configurationFile={shipped('infra', 'local', 'log4j2.yaml')}"
        return (*_JVM, logging, "-cp", f"{self.libs}/*")

    def _format(self, java: str) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        tool = [java, *self._java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}"]
        command = [*tool, "--config", str(self._properties), "--ignore-formatted"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
        if done.returncode:
            raise Outage("kafka", f"the data folder cannot be formatted: {(done.stdout + done.stderr).strip()}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaRegistry:
    """Apicurio Registry with an H2 file, so that schema ids live as long as the topics that use them."""

    libs: Path
    folder: Path
    port: int

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.port,)

    @property
    def address(self) -> str:
        """Root of the Confluent API."""
        return f"http://{HOST}:{self.port}/apis/ccompat/v7"

    def prepare(self, java: str) -> None:
        del java
        self.folder.mkdir(parents=True, exist_ok=True)

    def command(self, java: str, mark: str) -> list[str]:
        runner = next(iter(self.libs.glob("*-runner.jar")), self.libs / "runner.jar")
        options = {
            "quarkus.http.host": HOST,
            "quarkus.http.port": str(self.port),
            "quarkus.http.access-log.enabled": "false",
            'quarkus.log.category."io.apicurio".level': "WARN",
            "quarkus.banner.enabled": "false",
            "apicurio.storage.kind": "sql",
            "apicurio.storage.sql.kind": "h2",
            # Written through at every commit: an id that was handed out is in messages a moment later.
            "apicurio.datasource.url": f"jdbc:h2:file:{self.folder / 'schemas'};WRITE_DELAY=0",
            "apicurio.datasource.jdbc.initial-size": "1",
            "apicurio.datasource.jdbc.min-size": "1",
        }
        return [java, "-Xmx320m", mark, *_JVM, *(f"-D{key}={is_}" for key, is_ in options.items()), "-jar", str(runner)]

    def ready(self) -> bool:
        try:
            return listens(self.port) and httpx.get(f"{self.address}/subjects", timeout=_ANSWER).is_success
        except httpx.HTTPError:
            return False


def properties(broker: Broker) -> str:
    """The broker's `server.properties`: loopback only, one replica of everything, nothing made by accident."""
    listener, controller = f"PLAINTEXT://{broker.address}", f"CONTROLLER://{HOST}:{broker.controller}"
    lines = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{broker.controller}",
        "listeners": f"{listener},{controller}",
        "advertised.listeners": listener,
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(broker.folder / "data"),
    }
    return "".join(f"{key}={_escaped(value)}\n" for key, value in (lines | _BROKER).items())


def free_port(*wanted: int, apart_from: Collection[int] = ()) -> int:
    """The first of `wanted` that nobody listens on, else any free one."""
    for port in wanted:
        if port and port not in apart_from and is_free(port):
            return port
    with socket.socket() as any_free:
        any_free.bind((HOST, 0))
        port = int(any_free.getsockname()[1])
    return port if port not in apart_from else free_port(apart_from=apart_from)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the services themselves: a connection that lingers in TIME_WAIT takes no port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=_ANSWER).close()
    except OSError:
        return False
    return True


def _escaped(value: str) -> str:
    """Java reads properties as Latin-1; JSON's escapes are among those that it knows for everything else."""
    return json.dumps(value)[1:-1]
