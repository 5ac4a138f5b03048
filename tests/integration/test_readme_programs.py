"""The two programs of the README run as they stand there, addresses apart."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.qdrant_front import Front
from tests.support.services import Services
from tests.support.sites import Site, site

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def running(services: Services, prefix: str, tmp_path: Path) -> Iterator[Site]:
    with Front() as front, site(services, prefix, tmp_path, front.url) as made:
        yield made


def program(number: int, running: Site, frame: Path) -> list[str]:
    code = re.findall(r"^```python\n(.*?)^```$", README.read_text(), flags=re.MULTILINE | re.DOTALL)[number]
    here = {
        "127.0.0.1:9092": running.settings.kafka.bootstrap,
        "http://127.0.0.1:8081/apis/ccompat/v7": running.settings.registry.url,
        '"nvr-': f'"{running.settings.kafka.prefix}-',
        "file:///data/frames/gate.jpg": frame.as_uri(),
    }
    for there, ours in here.items():
        code = code.replace(there, ours)
    return [sys.executable, "-c", code]


def test_what_the_producer_tells_reaches_the_consumer(running: Site) -> None:
    frame = running.folder / "frames" / "gate.jpg"
    cv2.imwrite(str(frame), np.full((272, 640, 3), 90, np.uint8))
    running.start(0)
    subprocess.run(program(0, running, frame), check=True, timeout=60)
    with subprocess.Popen(program(1, running, frame), stdout=subprocess.PIPE, text=True) as consumer:
        assert consumer.stdout is not None
        told = next(line for line in consumer.stdout if line.endswith("person done\n"))
        consumer.kill()
    assert told.endswith("-a1b2c3 person done\n")
    running.wait_until_done(30)
