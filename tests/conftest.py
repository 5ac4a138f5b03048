"""What every test may ask for: the real services, and a prefix of its own for topics."""

from __future__ import annotations

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.support.services import Services, shared_services

_FIRST_START = 600
"""Seconds: the first test of a fresh checkout waits until Maven has fetched the services."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the real services are integration tests, wherever they lie."""
    for item in items:
        if "services" in getattr(item, "fixturenames", ()):
            item.add_marker("integration")
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(_FIRST_START))


@pytest.fixture(scope="session", autouse=True)
def _settings_of_tests_only() -> None:
    """What a developer has set for a worker of theirs is none of the tests' business."""
    for name in [name for name in os.environ if name.startswith("NVR_STREAMS")]:
        del os.environ[name]


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    """Kafka and the schema registry; they outlast the test, so name topics with `prefix`."""
    with shared_services() as running:
        yield running


@pytest.fixture
def prefix() -> str:
    """A prefix for topics, groups and subjects that no other test has."""
    return f"t{uuid4().hex[:7]}"
