"""How the clients are told to reach the brokers."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from confluent_kafka import Consumer, Producer
from pydantic import SecretStr

from streams.adapters.kafka import aiokafka_config, client_config, producer_config
from streams.settings import Kafka

PLAIN = Kafka()
SECURE = Kafka(security="sasl_ssl", username="nvr", password=SecretStr("hidden"))


def test_plain_text_needs_only_the_brokers() -> None:
    assert client_config(PLAIN) == {"bootstrap.servers": "127.0.0.1:9092", "security.protocol": "plaintext"}
    assert aiokafka_config(PLAIN) == {"bootstrap_servers": "127.0.0.1:9092", "security_protocol": "PLAINTEXT"}


def test_credentials_reach_both_clients() -> None:
    told = client_config(SECURE)
    assert (told["sasl.mechanism"], told["sasl.username"], told["sasl.password"]) == ("SCRAM-SHA-512", "nvr", "hidden")
    told_too = aiokafka_config(SECURE)
    assert told_too["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (told_too["sasl_plain_username"], told_too["sasl_plain_password"]) == ("nvr", "hidden")
    assert isinstance(told_too["ssl_context"], ssl.SSLContext)


def test_an_own_certificate_authority_is_used_by_both(tmp_path: Path) -> None:
    missing = tmp_path / "ca.pem"
    kafka = Kafka(security="ssl", ca_file=missing)
    assert client_config(kafka)["ssl.ca.location"] == str(missing)
    with pytest.raises(FileNotFoundError):
        aiokafka_config(kafka)


def test_producers_place_keys_where_java_and_aiokafka_do() -> None:
    assert producer_config(PLAIN)["partitioner"] == "murmur2_random"


async def test_the_clients_accept_what_they_are_told() -> None:
    quiet = {"log_level": 0}
    Producer({**producer_config(SECURE), **quiet})
    Consumer({**client_config(SECURE), **quiet, "group.id": "g"}).close()
    await AIOKafkaConsumer("topic", **aiokafka_config(SECURE)).stop()
