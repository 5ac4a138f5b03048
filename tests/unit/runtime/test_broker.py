"""What a worker publishes: refused where nobody answers, and where the process may own nothing any more."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from streams.domain.errors import Outage
from streams.runtime.broker import Broker
from streams.runtime.records import Outgoing
from streams.settings import Kafka, Settings

RECORD = Outgoing("nvr-objects", b"k", b"v", (), 0)


async def test_without_a_broker_a_start_is_an_outage() -> None:
    with pytest.raises(Outage, match=r"kafka: 127\.0\.0\.1:1"):
        await Broker(Settings(kafka=Kafka(bootstrap="127.0.0.1:1"))).start()


async def test_who_stood_still_is_noticed_before_the_producer_is_given_anything() -> None:
    def left() -> None:
        raise SystemExit(70)

    broker = Broker(Settings(), alive=left)
    broker._producer = SimpleNamespace()  # any use of it fails
    with pytest.raises(SystemExit):
        await broker.send(RECORD)
