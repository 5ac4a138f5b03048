"""Keeps a worker running: starts it as a child process, and again when its watchdog or a signal ended it."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Sequence
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

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()

    def run(self) -> int:
        """Returns the exit code of the child that ended of its own accord, or was told to."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._pass_on)
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            began = time.monotonic()
            self._child = subprocess.Popen(self._command)  # noqa: S603 -- our own command line
            code = self._wait(self._child)
            if self._stopping.is_set() or not (code == RESTART or code < 0):
                return 0 if self._stopping.is_set() and code < 0 else code
            pause = FIRST_PAUSE if time.monotonic() - began > STEADY else min(pause * 2, LONGEST_PAUSE)
            log.warning("the worker ended, starting it again", code=code, seconds=pause)
            self._stopping.wait(pause)
        return 0

    def _wait(self, child: subprocess.Popen[bytes]) -> int:
        deadline: float | None = None
        while True:
            try:
                return child.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                deadline = deadline or (time.monotonic() + KILL_AFTER if self._stopping.is_set() else None)
                if deadline and time.monotonic() > deadline:
                    log.error("the worker does not stop, killing it")
                    child.kill()

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._stopping.set()
        if self._child and self._child.poll() is None:
            self._child.terminate()
