"""What the Kafka client's errors mean to whoever waits for an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import stamina
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from streams.adapters.kafka import client_config
from streams.domain.errors import Outage, SettingsError
from streams.settings import Kafka

_SILENT = frozenset({"_TRANSPORT", "_TIMED_OUT", "_ALL_BROKERS_DOWN", "_RESOLVE", "REQUEST_TIMED_OUT"})

_REFUSED = frozenset({"_AUTHENTICATION", "_SSL"})
"""Errors that a call only tells as silence."""

_SECOND_TRY = 2.0
"""Seconds for finding out why nobody answers."""

_MOVING = frozenset(
    {
        "NOT_LEADER_FOR_PARTITION",
        "LEADER_NOT_AVAILABLE",
        "COORDINATOR_NOT_AVAILABLE",
        "COORDINATOR_LOAD_IN_PROGRESS",
        "NOT_COORDINATOR",
        "UNKNOWN_TOPIC_OR_PART",
    }
)
"""Errors that pass within a moment: after a topic was made, or when a broker comes or goes."""

T = TypeVar("T")


@contextmanager
def answering(kafka: Kafka) -> Iterator[None]:
    """Turn the client's errors into `Outage` (nobody answers, or refuses) and `SettingsError` (it cannot even start)."""
    try:
        yield
    except KafkaException as error:
        raise _meaning(error.args[0], kafka) from error


def settled(question: Callable[[], T]) -> T:
    """Ask again, for some seconds, while the brokers have not settled who answers for a partition or group."""
    return stamina.retry(on=_is_moving, attempts=10, timeout=5, wait_initial=0.05, wait_max=1.0)(question)()


def _is_moving(error: Exception) -> bool:
    return isinstance(error, KafkaException) and error.args[0].name() in _MOVING


def _meaning(error: KafkaError, kafka: Kafka) -> Exception:
    if error.name() in _SILENT:
        return Outage("kafka", _refusal(kafka) or f"no broker answers at {kafka.bootstrap}")
    if error.name() == "_INVALID_ARG":
        return SettingsError(f"kafka: {error.str()}")
    return Outage("kafka", f"{kafka.bootstrap}: {error.str()}")


def _refusal(kafka: Kafka) -> str | None:
    """Why the brokers want nothing of us, or we of them: wrong credentials, a certificate that is not trusted."""
    if kafka.security == "plaintext":
        return None
    heard: list[KafkaError] = []
    client = AdminClient({**client_config(kafka), "log_level": 0, "error_cb": heard.append})  # type: ignore[dict-item]  # the client's gap
    with suppress(KafkaException):
        client.list_topics(timeout=_SECOND_TRY)
    client.poll(0)
    refused = next((error.str() for error in heard if error.name() in _REFUSED), None)
    return refused and f"{kafka.bootstrap}: {refused.partition(': ')[2].partition(' (after')[0]}"
