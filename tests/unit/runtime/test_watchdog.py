"""The watchdog ends a process that does nothing any more, and only such a process."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streams.runtime.watchdog import RESTART

PROGRAM = """
import asyncio, os, sys, time
from streams.runtime.watchdog import Watchdog

handled = 0
async def live(seconds):
    global handled
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        dog.beat()
        handled += PROGRESS
        await asyncio.sleep(0.05)

def orphaned():
    open(sys.argv[1], "w").close()
    os._exit(0)

dog = Watchdog(pause=PAUSE, stall=0.5, is_stuck=lambda: STUCK, progress=lambda: handled, orphaned=orphaned, interval=0.05)
dog.start()
print("up", flush=True)
"""


def program(rest: str, *, stuck: bool = False, progress: int = 0, pause: float = 0.6) -> list[str]:
    told = PROGRAM.replace("STUCK", repr(stuck)).replace("PROGRESS", repr(progress)).replace("PAUSE", repr(pause))
    return [sys.executable, "-c", told + rest]


def ends_with(command: list[str]) -> tuple[int, str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_loop_that_stands_still_ends_the_process() -> None:
    code, said = ends_with(program("time.sleep(20)"))
    assert code == RESTART
    assert "the loop is silent" in said


def test_work_without_progress_ends_the_process() -> None:
    code, said = ends_with(program("asyncio.run(live(20))", stuck=True))
    assert code == RESTART
    assert "no progress" in said


@pytest.mark.parametrize(("stuck", "progress"), [(True, 1), (False, 0)], ids=["progress", "nothing to do"])
def test_who_gets_on_or_waits_lives(*, stuck: bool, progress: int) -> None:
    code, said = ends_with(program("asyncio.run(live(1.2)); dog.end(); print('over')", stuck=stuck, progress=progress))
    assert (code, said.split()) == (0, ["up", "over"])


def test_a_process_that_was_stopped_from_outside_leaves_at_its_next_beat() -> None:
    with subprocess.Popen(
        program("asyncio.run(live(20))", pause=0.8), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.2)
        process.send_signal(signal.SIGCONT)
        assert process.wait(10) == RESTART


def test_a_process_whose_parent_is_gone_is_told(tmp_path: Path) -> None:
    told = tmp_path / "orphaned"
    child = [*program("asyncio.run(live(20))"), str(told)]
    parent = f"import subprocess, sys; c = subprocess.Popen({child!r}, stdout=subprocess.PIPE); c.stdout.readline()"
    subprocess.run([sys.executable, "-c", parent], timeout=30, check=True)
    until = time.monotonic() + 10
    while not told.exists():
        assert time.monotonic() < until
        time.sleep(0.05)
