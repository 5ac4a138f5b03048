"""Topics on the real broker: made once, and every difference found."""

from __future__ import annotations

import json

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic
from typer.testing import CliRunner

from streams.adapters.catalogue import Catalogue, Topic
from streams.adapters.kafka import client_config
from streams.cli import program
from streams.operations.local_processes import until
from streams.operations.topics import check, create, find, needed
from streams.settings import Kafka
from tests.support.services import Services


@pytest.fixture
def kafka(services: Services, prefix: str) -> Kafka:
    return Kafka(bootstrap=services.bootstrap, prefix=prefix, partitions=3)


@pytest.fixture
def topics(prefix: str) -> tuple[Topic, ...]:
    return needed(Catalogue(prefix), ["mini"], ["track", "settle"])


def test_topics_are_made_once(kafka: Kafka, topics: tuple[Topic, ...]) -> None:
    names = {topic.name for topic in topics}
    assert set(create(kafka, topics)) == names
    assert create(kafka, topics) == ()
    assert set(find(kafka, topics)) == names
    assert check(kafka, topics) == []


def test_only_what_is_missing_is_made(kafka: Kafka, topics: tuple[Topic, ...]) -> None:
    create(kafka, topics[:2])
    assert set(create(kafka, topics)) == {topic.name for topic in topics[2:]}


def test_every_difference_is_found(kafka: Kafka, topics: tuple[Topic, ...], prefix: str) -> None:
    admin = AdminClient(client_config(kafka))
    admin.create_topics([NewTopic(f"{prefix}-events", 7, 1)])[f"{prefix}-events"].result(30)
    create(kafka, topics)
    shorter = ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, f"{prefix}-crops", incremental_configs=[shorter])
    admin.incremental_alter_configs([resource])[resource].result(30)
    # The controller answers before the broker has heard of it.
    assert until(lambda: find(kafka, topics)[f"{prefix}-crops"].config["retention.ms"] == "1000", seconds=20)
    assert check(kafka, topics) == [
        f"{prefix}-crops: retention.ms is 1000, expected 604800000",
        f"{prefix}-events: 7 partitions, expected 3 (kafka.partitions)",
    ]


def test_the_commands_make_check_and_list(services: Services, prefix: str) -> None:
    env = {"NVR_STREAMS__KAFKA__BOOTSTRAP": services.bootstrap, "NVR_STREAMS__KAFKA__PREFIX": prefix}
    run = CliRunner(env=env).invoke
    before = run(program(), ["topics", "check"])
    assert before.exit_code == 1
    assert f"{prefix}-events: missing; run: nvr-streams topics create" in before.output
    made = json.loads(run(program(), ["topics", "create", "--json"]).output)["made"]
    assert f"{prefix}-track-state-changelog" in made
    assert run(program(), ["topics", "create"]).output == "all topics exist\n"
    after = run(program(), ["topics", "check"])
    assert (after.exit_code, after.output) == (0, f"{len(made)} topics are as they should be\n")
    listed = json.loads(run(program(), ["topics", "list", "--json"]).output)
    assert {topic["name"] for topic in listed} == set(made)
    assert {topic["partitions"] for topic in listed} == {4}
    assert f"{prefix}-objects" in run(program(), ["topics", "list"]).output
