"""What the Kafka client's errors mean to whoever waits for an answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaError, KafkaException

from streams.domain.errors import Outage, SettingsError
from streams.settings import Kafka

_SILENT = frozenset({"_TRANSPORT", "_TIMED_OUT", "_ALL_BROKERS_DOWN", "_RESOLVE", "REQUEST_TIMED_OUT"})


@contextmanager
def answering(kafka: Kafka) -> Iterator[None]:
    """Turn the client's errors into `Outage` (nobody answers, or refuses) and `SettingsError` (it cannot even start)."""
    try:
        yield
    except KafkaException as error:
        raise _meaning(error.args[0], kafka) from error


def _meaning(error: KafkaError, kafka: Kafka) -> Exception:
    if error.name() in _SILENT:
        return Outage("kafka", f"no broker answers at {kafka.bootstrap}")
    if error.name() == "_INVALID_ARG":
        return SettingsError(f"kafka: {error.str()}")
    return Outage("kafka", f"{kafka.bootstrap}: {error.str()}")
