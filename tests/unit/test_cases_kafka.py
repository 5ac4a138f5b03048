"""What people report of Kafka, Faust and registries underneath: what keeps it from happening here."""

from __future__ import annotations

import asyncio
import socket
import time
from datetime import timedelta
from pathlib import Path

import pytest

from streams.adapters.registry import Registry
from streams.domain.errors import Outage
from streams.runtime.consumer import SafeConsumer
from streams.runtime.faust_app import App, faust_app
from streams.settings import Registry as RegistrySettings
from streams.settings import Settings, Worker


@pytest.fixture
def app(tmp_path: Path) -> App:
    worker = Worker(name="w1", data=tmp_path)
    return faust_app("nvr-track", Settings(worker=worker), "track", SafeConsumer, fatal=lambda _error: None)


def test_an_answer_that_takes_minutes_never_costs_a_worker_its_partitions(app: App) -> None:
    """Passing the poll interval dead-locks Faust; our own watchdog looks after progress instead."""
    assert app.conf.broker_max_poll_interval > timedelta(weeks=3).total_seconds()
    assert app.conf.broker_heartbeat_interval * 3 <= app.conf.broker_session_timeout


def test_no_transaction_can_hang_a_recovery(app: App) -> None:
    assert app.conf.processing_guarantee.value == "at_least_once"
    assert app.conf.producer_acks == -1


def test_faust_commits_nothing_by_itself_and_waits_for_nothing_at_a_stop(app: App) -> None:
    assert app.conf.broker_commit_interval >= timedelta(hours=1).total_seconds()
    assert not app.conf.stream_wait_empty


def test_no_standby_no_leader_topic_and_no_open_port(app: App) -> None:
    assert app.conf.table_standby_replicas == 0
    assert (app.conf.topic_disable_leader, app.conf.topic_allow_declare, app.conf.web_enabled) == (True, False, False)


def test_a_worker_that_comes_back_is_the_same_member(app: App) -> None:
    assert app.conf.consumer_group_instance_id == "w1-track"


async def test_a_registry_that_takes_the_call_and_says_nothing_is_an_outage_within_its_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with Registry(RegistrySettings(url=url, timeout=timedelta(seconds=0.3))) as registry:
            began = time.monotonic()
            with pytest.raises(Outage, match="registry: http://127"):
                await asyncio.wait_for(registry.schema(1), 5)
    assert time.monotonic() - began < 2
