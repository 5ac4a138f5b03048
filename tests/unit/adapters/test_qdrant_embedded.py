"""The embedded index: a folder that lasts, one thread that waits instead of the loop, one process at a time."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import AsyncQdrantClient

from streams.adapters.qdrant import open_index
from streams.adapters.qdrant_link import Embedded
from streams.adapters.qdrant_points import Space
from streams.domain.errors import Outage, Poison, SettingsError
from streams.ports import Query
from streams.settings import Index as IndexSettings
from tests.support.documents import document, vector


def opened(path: Path, *, dim: int = 3, model: str = "mini"):
    space = Space(model=model, dim=dim)
    return open_index(IndexSettings(path=path), site="home", space=space, public_url=lambda _: None)


async def test_what_was_kept_is_there_after_a_restart(tmp_path):
    async with opened(tmp_path / "deep" / "index") as index:
        await index.put(document("a", revision=5, camera="yard", thumbnail=vector((1.0, 0.0, 0.0))))
        await index.bury("b", 5)
    async with opened(tmp_path / "deep" / "index") as index:
        await index.put(document("a", revision=4))
        await index.put(document("b", revision=4))
        [hit] = await index.search(Query(vector=np.asarray((1.0, 0.0, 0.0), np.float32)))
        assert (hit.camera, await index.count(), index.collection) == ("yard", 1, "objects_mini_1")


async def test_a_change_of_model_or_length_is_refused_at_start(tmp_path):
    async with opened(tmp_path):
        pass
    with pytest.raises(SettingsError, match=r"'mini'.*need 'big'"):
        async with opened(tmp_path, model="big"):
            pass
    with pytest.raises(SettingsError, match=r"takes 3 numbers.*need 768"):
        async with opened(tmp_path, dim=768):
            pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the client forgets its lock file
async def test_a_folder_that_is_in_use_is_refused_with_the_cure(tmp_path):
    async with opened(tmp_path):
        with pytest.raises(SettingsError, match=r"is in use by another process; stop that, or set index\.url"):
            async with opened(tmp_path):
                pass


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"index\.path"):
        async with opened(tmp_path / "file"):
            pass


async def test_the_loop_goes_on_while_the_index_works(tmp_path):
    link = Embedded(tmp_path)
    await link.open()
    entered, leave = threading.Event(), threading.Event()

    async def slow(_: AsyncQdrantClient) -> str:
        entered.set()
        leave.wait(5)
        return threading.current_thread().name

    working = asyncio.create_task(link.run(slow))
    await asyncio.to_thread(entered.wait, 5)
    assert not working.done()
    leave.set()
    assert (await working).startswith("index")
    await link.close()


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (ValueError("bad"), Poison),
        (sqlite3.OperationalError("database or disk is full"), Outage),
        (OSError(28, "No space left on device"), Outage),
        (TypeError("a bug"), TypeError),
    ],
)
async def test_what_goes_wrong_is_named_by_what_to_do_next(tmp_path, raised, expected):
    link = Embedded(tmp_path)
    await link.open()

    async def fail(_: AsyncQdrantClient) -> None:
        raise raised

    with pytest.raises(expected):
        await link.run(fail)
    await link.close()
