"""Importing does nothing: no file is written, no setting read, nothing started; and the pipeline stays light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

WATCH = '''
import importlib, os, pathlib, pkgutil, sys, threading
import structlog, prometheus_client, confluent_kafka, faust, aiohttp, cv2, onnxruntime, qdrant_client, obstore, typer, rich
import streams

ours = os.path.dirname(streams.__file__) + os.sep
faults = []
helpers = {"<frozen os>", pathlib.__file__}

def caller(depth):
    """Who did it, if it was our own code: what importing and libraries do is their business."""
    frame = sys._getframe(depth)
    while frame.f_code.co_filename in helpers:
        frame = frame.f_back
    name = frame.f_code.co_filename
    return name[len(ours):] if name.startswith(ours) else None

def audit(event, args):
    watched = event in {"socket.connect", "socket.bind", "subprocess.Popen", "os.mkdir", "os.remove", "os.system"}
    if (watched or event == "open") and (where := caller(2)):
        faults.append(f"{where}: {event} {args[0]!r}")

class Environment(dict):
    def __getitem__(self, name):
        self.note(name)
        return super().__getitem__(name)
    def get(self, name, default=None):
        self.note(name)
        return super().get(name, default)
    def note(self, name):
        if (where := caller(3)):
            faults.append(f"{where}: reads {name} of the environment")

os.environ = Environment(os.environ)
sys.addaudithook(audit)
before = threading.active_count()
for module in pkgutil.walk_packages(streams.__path__, "streams."):
    importlib.import_module(module.name)
if threading.active_count() > before:
    faults.append("threads were started")
print("\\n".join(faults))
'''


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_any_module_opens_no_file_reads_no_environment_and_starts_nothing():
    assert run(WATCH) == ""


@pytest.mark.parametrize("module", ["streams.pipeline", "streams.ports", "streams.domain.messages"])
def test_the_pure_core_brings_no_framework_along(module):
    heavy = {
        "faust",
        "mode",
        "aiokafka",
        "confluent_kafka",
        "qdrant_client",
        "onnxruntime",
        "cv2",
        "obstore",
        "pydantic",
    }
    loaded = run(f"import sys, {module}; print(*sys.modules)").split()
    assert heavy.isdisjoint(loaded)


def test_the_command_line_starts_without_anything_heavy():
    heavy = {
        "faust",
        "confluent_kafka",
        "qdrant_client",
        "onnxruntime",
        "cv2",
        "numpy",
        "pydantic",
        "structlog",
        "rich",
    }
    loaded = run("import sys, streams.cli; streams.cli.program(); print(*sys.modules)").split()
    assert heavy.isdisjoint(loaded)
