"""Notices from outside the loop that a worker does nothing any more, and ends the process so that it is restarted."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import NoReturn

import structlog

log = structlog.get_logger(__name__)

RESTART = 70
"""Exit code that asks the supervisor for a new process (EX_SOFTWARE of sysexits.h)."""

PAUSE_SHARE = 0.8
"""A loop that stood still for this share of the session timeout may have lost its partitions without knowing."""


def leave(code: int) -> NoReturn:
    """End the process at once: Faust's threads would keep it alive, and nothing may be written any more."""
    sys.stderr.flush()
    os._exit(code)


def fatal(error: BaseException) -> NoReturn:
    log.critical("leaving, to be restarted", error=repr(error), exc_info=error)
    leave(RESTART)


class Watchdog(threading.Thread):
    """`beat` is called by the loop; `is_stuck` says whether there is work without anything to wait for.

    The process ends when the loop is silent for `pause` seconds, when work is stuck without `progress` for `stall`
    seconds, or when the parent process is gone.
    """

    def __init__(
        self,
        *,
        pause: float,
        stall: float,
        is_stuck: Callable[[], bool],
        progress: Callable[[], int],
        orphaned: Callable[[], None],
        interval: float = 0.5,
    ) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._pause, self._stall, self._interval = pause, stall, interval
        self._is_stuck, self._progress, self._orphaned = is_stuck, progress, orphaned
        self._parent, self._beat, self._over = os.getppid(), time.monotonic(), threading.Event()

    def beat(self) -> None:
        """Called by the loop: also notices a pause of the whole process (SIGSTOP, a swapped-out machine)."""
        now = time.monotonic()
        if now - self._beat > self._pause:
            fatal(RuntimeError(f"the loop stood still for {now - self._beat:.1f} s"))
        self._beat = now

    def end(self) -> None:
        self._over.set()

    def run(self) -> None:
        seen, since = self._progress(), time.monotonic()
        while not self._over.wait(self._interval):
            now, progress = time.monotonic(), self._progress()
            if progress != seen or not self._is_stuck():
                seen, since = progress, now
            if now - since > self._stall:
                fatal(RuntimeError(f"work in hand, and no progress for {now - since:.0f} s"))
            if now - self._beat > self._pause + 2 * self._interval:
                fatal(RuntimeError(f"the loop is silent for {now - self._beat:.1f} s"))
            if os.getppid() != self._parent:
                self._orphaned()
                return
