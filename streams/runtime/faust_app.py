"""One Faust app per agent, set up the way that loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import faust
from faust.auth import SASLCredentials, SSLCredentials
from faust.types.agents import AgentT
from faust.types.transports import TransportT

from streams.adapters.kafka import aiokafka_config
from streams.runtime.consumer import SafeConsumer
from streams.settings import Kafka, Settings

UNLIMITED_POLL_INTERVAL = 2_147_483.0
"""Seconds (the largest int32 of milliseconds). Passing it dead-locks a Faust worker; our own watchdog replaces it."""

POLL_RECORDS = 500
"""As Java's clients do. Whatever a fetch brought is taken, also when its partition is held back meanwhile: without a
limit that is a megabyte of small messages."""

NO_COMMITS = 3600.0
"""Faust's own commits have nothing to do: the ledger commits."""


class App(faust.App):
    """A Faust app with our consumer, and no mercy with an agent that raises.

    Faust would acknowledge the agent's message and restart it: the message is lost.
    """

    consumer_class: type[SafeConsumer]
    fatal: Callable[[BaseException], None]

    async def _on_agent_error(self, agent: AgentT[object], exc: BaseException) -> None:
        del agent
        self.fatal(exc)

    def _new_transport(self) -> TransportT:
        transport = super()._new_transport()
        vars(transport)["Consumer"] = self.consumer_class  # this transport's, not that of all apps
        return transport


def faust_app(
    app_id: str, settings: Settings, agent: str, consumer: type[SafeConsumer], fatal: Callable[[BaseException], None]
) -> App:
    """The app of one agent; everything that group protocol and changelog names depend on is fixed here."""
    kafka, worker = settings.kafka, settings.worker
    session = worker.session_timeout.total_seconds()
    folder = Path(worker.data, agent)
    folder.mkdir(parents=True, exist_ok=True)  # Faust makes one level only
    app = App(
        app_id,
        broker=[f"kafka://{address.strip()}" for address in kafka.bootstrap.split(",")],
        broker_credentials=_credentials(kafka),
        store="rocksdb://" if worker.state == "rocksdb" else "memory://",
        datadir=str(folder),
        key_serializer="raw",
        value_serializer="raw",
        processing_guarantee="at_least_once",
        producer_acks=-1,
        stream_buffer_maxsize=1024,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        broker_session_timeout=session,
        broker_heartbeat_interval=session / 5,
        broker_rebalance_timeout=60.0,
        broker_max_poll_interval=UNLIMITED_POLL_INTERVAL,
        broker_max_poll_records=POLL_RECORDS,
        broker_commit_interval=NO_COMMITS,
        consumer_group_instance_id=f"{worker.name}-{agent}" if worker.static else None,
        topic_partitions=kafka.partitions,
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=0,
        web_enabled=False,
    )
    app.consumer_class, app.fatal = consumer, fatal
    return app


def _credentials(kafka: Kafka) -> SASLCredentials | SSLCredentials | None:
    config = aiokafka_config(kafka)
    match kafka.security:
        case "plaintext":
            return None
        case "ssl":
            return SSLCredentials(context=config["ssl_context"])
        case "sasl_plaintext" | "sasl_ssl":
            return SASLCredentials(
                mechanism=config["sasl_mechanism"],
                username=config["sasl_plain_username"],
                password=config["sasl_plain_password"],
                ssl_context=config.get("ssl_context"),
            )
