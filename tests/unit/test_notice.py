"""NOTICE names every model and video that ships, as it lies there."""

import hashlib
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENTRY = re.compile(
    r"^(?P<path>infra/\S+)\n  What: +\S(?:.|\n)+?\n  Origin: +\S(?:.|\n)+?\n  Licence: +\S(?:.|\n)+?\n  SHA-256: +(?P<sum>[0-9a-f]{64})$",
    re.MULTILINE,
)


def named() -> dict[str, str]:
    return {entry["path"]: entry["sum"] for entry in ENTRY.finditer((ROOT / "NOTICE").read_text())}


def test_every_shipped_model_and_video_is_named_with_origin_licence_and_sum() -> None:
    shipped = [file for folder in ("models", "demo") for file in (ROOT / "infra" / folder).rglob("*") if file.is_file()]

    assert sorted(named()) == sorted(str(file.relative_to(ROOT)) for file in shipped)


def test_every_sum_is_that_of_the_file() -> None:
    for path, expected in named().items():
        assert hashlib.sha256((ROOT / path).read_bytes()).hexdigest() == expected, path
