"""A broker inside the Kafka client (librdkafka's mock): enough for commands that read and write a few records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Producer


class MockBroker:
    """Topics appear, with four partitions, when something is written to them."""

    def __init__(self) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": "",
                "test.mock.num.brokers": 1,
                "partitioner": "murmur2_random",
                "log_level": 0,
            }
        )
        (broker,) = self._producer.list_topics(timeout=5).brokers.values()
        self.bootstrap = f"{broker.host}:{broker.port}"

    def put(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        *,
        headers: dict[str, bytes] | None = None,
        time_ms: int = 1_600_000_000_000,
    ) -> None:
        """Write one record, and wait until it is there."""
        self._producer.produce(topic, key=key, value=value, headers=[*(headers or {}).items()], timestamp=time_ms)
        self._producer.flush(5)


@contextmanager
def mock_broker() -> Iterator[MockBroker]:
    """A broker that lives as long as the block, with nothing in it."""
    yield MockBroker()
