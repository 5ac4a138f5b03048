"""The composition root: what people ask a worker for takes nothing from its agents."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from streams.app import _Desk
from streams.domain.errors import Outage
from streams.operations import reading
from streams.settings import Kafka, Settings


async def test_an_object_is_read_on_the_threads_that_are_meant_for_it(monkeypatch):
    monkeypatch.setattr(reading, "ANSWER_SECONDS", 0.2)
    with ThreadPoolExecutor(1) as readers:
        desk = _Desk(Settings(kafka=Kafka(bootstrap="127.0.0.1:9")), readers)
        with pytest.raises(Outage, match="no broker answers"):
            await desk.find_object("a")
        assert len(readers._threads) == 1


async def test_a_search_before_the_index_is_open_says_so():
    with ThreadPoolExecutor(1) as readers, pytest.raises(Outage, match="it is still starting"):
        await _Desk(Settings(), readers).search({})
