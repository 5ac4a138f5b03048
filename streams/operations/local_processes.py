"""Programs that outlive the command that starts them, and are ended only when they are provably ours."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_PAUSE = 0.05
"""Seconds between two looks at a program that starts or ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A started program. `mark` is an argument that no other program has: a pid alone may be anybody's by now."""

    pid: int
    started: float
    """When it started, seconds since the epoch."""
    mark: str


def spawn(command: Sequence[str], *, mark: str, log: Path) -> Process:
    """Start `command` (which carries `mark` among its arguments) in a session of its own, writing to `log`.

    The log of the run before is kept beside it. Raises `OSError` when the log cannot be written.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(previous(log))
    log.touch()
    # The shell leaves at once, so the program belongs to init: no terminal, no signal and no end of ours reaches it.
    script = 'log=$1; shift; "$@" </dev/null >"$log" 2>&1 & echo $!'
    shell = subprocess.run(  # noqa: S603 - the command is built here, from our own parts
        ["/bin/sh", "-c", script, "sh", str(log), *command],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    pid = int(shell.stdout)
    return Process(pid=pid, started=_started(pid), mark=mark)


def alive(process: Process) -> bool:
    """Whether exactly this program still runs."""
    return _find(process) is not None


def stop(process: Process, *, patience: float) -> None:
    """End the program: politely, and by force after `patience` seconds. Programs that are not ours are left alone."""
    if found := _find(process):
        found.terminate()
    if not until(lambda: not alive(process), seconds=patience) and (found := _find(process)):
        found.kill()
        until(lambda: not alive(process), seconds=patience)


def until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Wait for `condition`; False when it has not come true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True


def previous(log: Path) -> Path:
    """Where the log of the run before lies."""
    return log.with_suffix(".previous.log")


def tail(log: Path, *, lines: int = 15) -> str:
    """The last lines of a log; empty when there is none."""
    if not log.is_file():
        return ""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def _find(process: Process) -> psutil.Process | None:
    try:
        found = psutil.Process(process.pid)
        ours = process.mark in found.cmdline() and found.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None
    return found if ours else None


def _started(pid: int) -> float:
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return 0.0
