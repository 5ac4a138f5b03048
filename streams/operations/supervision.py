"""Keeps one worker of a name running on this machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from filelock import FileLock, Timeout

from streams.domain.errors import SettingsError
from streams.runtime.supervisor import Supervisor
from streams.settings import Settings

Work: TypeAlias = Callable[[Settings, tuple[str, ...]], None]
"""Runs agents (all when none is named) in this process until it is told to stop; picklable."""


def supervise(work: Work, settings: Settings, agents: tuple[str, ...]) -> int:
    """Run `work` in a process of its own until it is stopped; returns the exit code.

    A worker whose watchdog ends it is started again. Raises `SettingsError` when one of the same name runs already.
    """
    settings.worker.data.mkdir(parents=True, exist_ok=True)
    lock = FileLock(settings.worker.data / f"worker-{settings.worker.name}.lock")
    try:
        with lock.acquire(timeout=0):
            return Supervisor(partial(work, settings, agents)).run()
    except Timeout as error:
        raise SettingsError(
            f"worker.name: a worker named {settings.worker.name} runs already; two of one name would fence each other"
        ) from error
