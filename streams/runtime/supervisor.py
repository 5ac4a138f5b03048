"""Keeps a worker running: starts it as a child process, and again when its watchdog or a signal ended it."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

import structlog

from streams.runtime.watchdog import RESTART

log = structlog.get_logger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds before a restart, doubled each time."""

STEADY = 60.0
"""A child that lived this long starts the pauses anew."""

LOOK_SECONDS = 0.2
"""How soon a signal or the child's end is noticed."""

KILL_AFTER = 30.0
"""Seconds that a child gets between SIGTERM and SIGKILL."""


class Supervisor:
    """One child at a time. SIGTERM and SIGINT are passed on and end the supervision."""

    def __init__(self, target: Callable[[], None], *, first_pause: float = FIRST_PAUSE) -> None:
        """`target` runs in a fresh process, so it must be picklable; its exit code is what it leaves with."""
        self._target, self._first_pause = target, first_pause
        self._stopping = threading.Event()  # never waited on: who waits holds its lock when the handler comes

    def run(self) -> int:
        """Returns the exit code of the child that ended of its own accord, or was told to."""
        handlers = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            return self._supervise()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _supervise(self) -> int:
        pause = self._first_pause
        while not self._stopping.is_set():
            began = time.monotonic()
            code = self._run_child()
            if self._stopping.is_set() or not (code == RESTART or code < 0):
                return max(code, 0)
            if time.monotonic() - began > STEADY:
                pause = self._first_pause
            log.warning("the worker ended, starting it again", code=code, seconds=pause)
            self._wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        return 0

    def _run_child(self) -> int:
        child = multiprocessing.get_context("spawn").Process(target=self._target)
        child.start()
        deadline: float | None = None
        while child.exitcode is None:
            child.join(LOOK_SECONDS)
            if self._stopping.is_set() and deadline is None:
                child.terminate()
                deadline = time.monotonic() + KILL_AFTER
            if deadline and time.monotonic() > deadline:
                log.error("the worker does not stop, killing it")
                child.kill()
        return child.exitcode

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stopping.is_set() and time.monotonic() < until:
            time.sleep(min(seconds, LOOK_SECONDS))

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Only notes it: the main thread may be in the middle of starting the child."""
        del number, frame
        self._stopping.set()
