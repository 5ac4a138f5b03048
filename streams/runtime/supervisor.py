"""Keeps a worker running: starts it as a child process, and again when its watchdog or a signal ended it."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from types import FrameType

import structlog

from streams.runtime.watchdog import RESTART

log = structlog.get_logger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds before a restart, doubled each time."""

STEADY = 60.0
"""A child that lived this long starts the pauses anew."""

KILL_AFTER = 30.0
"""Seconds that a child gets between SIGTERM and SIGKILL."""


class Supervisor:
    """One child at a time. SIGTERM and SIGINT are passed on and end the supervision."""

    def __init__(self, target: Callable[[], None], *, first_pause: float = FIRST_PAUSE) -> None:
        """`target` runs in a fresh process, so it must be picklable; its exit code is what it leaves with."""
        self._target, self._first_pause = target, first_pause
        self._child: BaseProcess | None = None
        self._stopping = threading.Event()

    def run(self) -> int:
        """Returns the exit code of the child that ended of its own accord, or was told to."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._pass_on)
        pause = self._first_pause
        while not self._stopping.is_set():
            began = time.monotonic()
            code = self._run_child()
            if self._stopping.is_set() or not (code == RESTART or code < 0):
                return max(code, 0)
            pause = self._first_pause if time.monotonic() - began > STEADY else min(pause * 2, LONGEST_PAUSE)
            log.warning("the worker ended, starting it again", code=code, seconds=pause)
            self._stopping.wait(pause)
        return 0

    def _run_child(self) -> int:
        child = self._child = multiprocessing.get_context("spawn").Process(target=self._target)
        child.start()
        deadline: float | None = None
        while child.exitcode is None:
            child.join(0.2)
            if self._stopping.is_set():
                deadline = deadline or time.monotonic() + KILL_AFTER
            if deadline and time.monotonic() > deadline:
                log.error("the worker does not stop, killing it")
                child.kill()
        return child.exitcode

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._stopping.set()
        if self._child and self._child.is_alive():
            self._child.terminate()
