"""One worker of each name on a machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock

from streams.domain.errors import SettingsError
from streams.operations.supervision import supervise
from streams.settings import Settings, Worker


def work(settings: Settings, agents: tuple[str, ...]) -> None:
    (settings.worker.data / "worked").write_text(" ".join(agents))
    os._exit(0)


def settings_in(folder: Path) -> Settings:
    return Settings(worker=Worker(name="porch", data=folder / "data"))


def test_the_work_is_done_in_a_process_of_its_own_and_the_name_is_free_again(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    assert supervise(work, settings, ("track", "settle")) == 0
    assert (settings.worker.data / "worked").read_text() == "track settle"
    with FileLock(settings.worker.data / "worker-porch.lock", timeout=0):
        pass


def test_a_second_worker_of_the_same_name_is_refused(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    settings.worker.data.mkdir()
    with (
        FileLock(settings.worker.data / "worker-porch.lock"),
        pytest.raises(SettingsError, match=r"worker\.name: a worker named porch runs already"),
    ):
        supervise(work, settings, ())
    assert not (settings.worker.data / "worked").exists()
