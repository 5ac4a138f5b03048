"""How the Kafka clients reach the brokers, from one group of settings."""

from __future__ import annotations

import ssl
from typing import TypedDict

from streams.settings import Kafka

Plain = str | int | float | bool


def client_config(kafka: Kafka) -> dict[str, Plain]:
    """Configuration common to every client of confluent-kafka: brokers, TLS, SASL."""
    config: dict[str, Plain] = {
        "bootstrap.servers": kafka.bootstrap,
        "security.protocol": kafka.security,
    }
    if kafka.security.startswith("sasl"):
        config["sasl.mechanism"] = kafka.sasl_mechanism
        config["sasl.username"] = kafka.username or ""
        config["sasl.password"] = _password(kafka)
    if kafka.ca_file is not None:
        config["ssl.ca.location"] = str(kafka.ca_file)
    return config


def producer_config(kafka: Kafka) -> dict[str, Plain]:
    """Configuration of a confluent-kafka producer that loses and repeats nothing.

    Its default partitioner puts a key elsewhere than Java and aiokafka do; agents that read several topics rely on
    one key lying in one partition number.
    """
    return {
        **client_config(kafka),
        "partitioner": "murmur2_random",
        "enable.idempotence": True,
        "linger.ms": 5,
        "compression.type": "lz4",
    }


class AioKafkaConfig(TypedDict, total=False):
    """Keyword arguments common to aiokafka's clients."""

    bootstrap_servers: str
    security_protocol: str
    ssl_context: ssl.SSLContext
    sasl_mechanism: str
    sasl_plain_username: str
    sasl_plain_password: str


def aiokafka_config(kafka: Kafka) -> AioKafkaConfig:
    """The same for aiokafka's consumers and producers. Reads `kafka.ca_file` where TLS is spoken."""
    config = AioKafkaConfig(bootstrap_servers=kafka.bootstrap, security_protocol=kafka.security.upper())
    if kafka.security.endswith("ssl"):
        config["ssl_context"] = ssl.create_default_context(cafile=kafka.ca_file)
    if kafka.security.startswith("sasl"):
        config["sasl_mechanism"] = kafka.sasl_mechanism
        config["sasl_plain_username"] = kafka.username or ""
        config["sasl_plain_password"] = _password(kafka)
    return config


def _password(kafka: Kafka) -> str:
    return kafka.password.get_secret_value() if kafka.password else ""
