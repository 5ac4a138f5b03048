"""What a person is told when the brokers do not answer."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka.admin import AdminClient

from streams.adapters.kafka import client_config
from streams.adapters.kafka_errors import answering
from streams.domain.errors import Outage
from streams.settings import Kafka

NOWHERE = "127.0.0.1:1"


class SpeaksNoTls(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(1024)
        self.request.sendall(b"what is this?")


@contextmanager
def listener(handler: type[socketserver.BaseRequestHandler]) -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield "{}:{}".format(*server.server_address)
        server.shutdown()


def ask(kafka: Kafka) -> None:
    with answering(kafka):
        AdminClient({**client_config(kafka), "log_level": 0}).list_topics(timeout=0.3)


def test_nobody_there_is_told_with_the_address():
    with pytest.raises(Outage, match=f"no broker answers at {NOWHERE}"):
        ask(Kafka(bootstrap=NOWHERE))


def test_brokers_that_cannot_be_spoken_to_are_told_from_brokers_that_are_not_there():
    with listener(SpeaksNoTls) as address, pytest.raises(Outage, match=f"{address}: SSL handshake failed"):
        ask(Kafka(bootstrap=address, security="ssl"))


def test_nobody_there_is_no_trouble_with_credentials():
    kafka = Kafka(bootstrap=NOWHERE, security="sasl_ssl", username="nvr", password="secret")
    with pytest.raises(Outage, match=f"no broker answers at {NOWHERE}"):
        ask(kafka)
