"""The supervisor: what ends a worker for good, and what starts it again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from streams.runtime.supervisor import Supervisor
from streams.runtime.watchdog import RESTART

PAUSE = 0.1


def child(folder: Path, *ends: int) -> None:
    """Its nth life ends with the nth exit code, or signal where that is negative; the last one lasts."""
    life = len(list(folder.glob("born-*")))
    (folder / f"born-{life}").write_text(repr(time.monotonic()))
    if life == len(ends):
        signal.signal(signal.SIGTERM, lambda *_: (sys.stdout.write("told\n"), sys.stdout.flush(), os._exit(0)))
        sys.stdout.write("up\n")
        sys.stdout.flush()
        time.sleep(60)
    (folder / f"died-{life}").write_text(repr(time.monotonic()))
    if ends[life] < 0:
        os.kill(os.getpid(), -ends[life])
    os._exit(ends[life])


def pauses(folder: Path) -> list[float]:
    """Seconds between each death and the next birth."""
    told = [float((folder / f"died-{life}").read_text()) for life in range(len(list(folder.glob("died-*"))))]
    born = [float((folder / f"born-{life}").read_text()) for life in range(len(list(folder.glob("born-*"))))]
    return [after - before for before, after in zip(told, born[1:], strict=False)]


@pytest.mark.parametrize("code", [0, 1])
def test_a_worker_that_was_told_to_stop_or_is_set_up_wrongly_stays_down(tmp_path: Path, code: int) -> None:
    assert Supervisor(partial(child, tmp_path, code), first_pause=PAUSE).run() == code
    assert pauses(tmp_path) == []


def test_a_worker_that_asks_for_it_or_dies_of_a_signal_is_started_again_after_growing_pauses(tmp_path: Path) -> None:
    lives = (RESTART, -signal.SIGKILL, 0)
    assert Supervisor(partial(child, tmp_path, *lives), first_pause=PAUSE).run() == 0
    waited = pauses(tmp_path)
    assert len(waited) == 2
    assert all(seconds >= PAUSE * 2**number for number, seconds in enumerate(waited))


def supervised(folder: Path, *ends: int) -> subprocess.Popen[str]:
    program = (
        "import sys; from functools import partial; from pathlib import Path;"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_supervisor as t;"
        f"sys.exit(t.Supervisor(partial(t.child, Path({str(folder)!r}), *{ends!r}), first_pause=60).run())"
    )
    return subprocess.Popen([sys.executable, "-uc", program], stdout=subprocess.PIPE, text=True)


def test_a_signal_is_passed_on_and_ends_both(tmp_path: Path) -> None:
    with supervised(tmp_path) as supervisor:
        assert supervisor.stdout
        assert supervisor.stdout.readline() == "up\n"
        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.wait(10) == 0
        assert supervisor.stdout.read() == "told\n"


def test_a_signal_ends_the_pause_before_a_restart(tmp_path: Path) -> None:
    with supervised(tmp_path, RESTART) as supervisor:
        assert supervisor.stdout
        assert "starting it again" in supervisor.stdout.readline()
        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.wait(10) == 0
    assert not (tmp_path / "born-1").exists()
