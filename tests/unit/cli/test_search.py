"""`nvr-streams search` as people type it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from streams.adapters.clock import now
from streams.cli import program
from streams.domain.messages import Document
from streams.domain.values import SECOND
from tests.support.documents import NOON, document, picture, vector
from tests.support.fake_index import FakeIndex
from tests.support.search_server import searching

Run = Callable[..., Result]
RIDER = document(
    "rider",
    label="bicycle",
    sub_label="Alice",
    zones=("porch", "street"),
    plate="AB 123",
    description="Someone [on] a bicycle",
    thumbnail=vector((0.8, 0.6)),
    best=picture("https://pictures.example/rider.jpg"),
)
CAR = document("car", camera="yard", label="car", start_time=NOON + SECOND, thumbnail=vector((0.0, 1.0)))


async def filled(*documents: Document) -> FakeIndex:
    index = FakeIndex()
    for each in documents:
        await index.put(each)
    return index


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    recent = document("recent", start_time=now() - 1800 * SECOND)
    index = asyncio.run(filled(RIDER, CAR, recent))
    with searching(index, {"a bicycle": (1.0, 0.0)}) as url:
        config = tmp_path / "settings.yaml"
        config.write_text(f"worker: {{data: {tmp_path}, port: {url.rsplit(':', 1)[1]}}}")
        yield lambda *words: CliRunner().invoke(program(), ["--config", str(config), "search", *words])


def ids(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [hit["object_id"] for hit in json.loads(result.stdout)["hits"]]


def test_words_find_what_looks_like_them_best_first(run):
    assert ids(run("a bicycle", "--json")) == ["rider", "car"]


def test_people_get_a_table_with_all_that_matters(run):
    result = run("a bicycle", "--limit", "1")
    assert result.exit_code == 0
    head, row = result.stdout.splitlines()
    assert head.split() == ["object", "score", "time", "camera", "label", "names", "description", "thumbnail"]
    for part in (
        "rider",
        "0.800",
        "2025-11-25T12:00:00",
        "front_door",
        "bicycle",
        "Alice",
        "Someone [on] a bicycle",
        "https://pictures.example/rider.jpg",
    ):
        assert part in row
    assert "1 found" in result.stderr


def test_machines_get_every_field(run):
    [hit] = json.loads(run("--label", "bicycle", "--json").stdout)["hits"]
    assert hit == {
        "object_id": "rider",
        "score": None,
        "camera": "front_door",
        "label": "bicycle",
        "sub_label": "Alice",
        "zones": ["porch", "street"],
        "start_time": "2025-11-25T12:00:00Z",
        "end_time": None,
        "top_score": 0.875,
        "description": "Someone [on] a bicycle",
        "thumbnail": "https://pictures.example/rider.jpg",
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--camera", "yard"), ["car"]),
        (("--label", "car", "--label", "bicycle"), ["car", "rider"]),
        (("--zone", "street"), ["rider"]),
        (("--sub-label", "Alice"), ["rider"]),
        (("--plate", "AB 123"), ["rider"]),
        (("--like", "car"), ["rider"]),
        (("--before", "2025-11-25T12:00:01Z"), ["rider"]),
        (("--after", "2025-11-25T12:00:01", "--before", "2025-11-26"), ["car"]),
        (("--after", "1h"), ["recent"]),
        (("--before", "20m", "--limit", "1"), ["recent"]),
        (("--camera", "nowhere"), []),
    ],
)
def test_every_filter_reaches_the_index(run, options, expected):
    assert ids(run(*options, "--json")) == expected


def test_without_a_question_the_newest_come_first_and_it_says_so(run):
    result = run()
    assert [row.split()[0] for row in result.stdout.splitlines()[1:]] == ["recent", "car", "rider"]
    assert "the newest come first" in result.stderr


def test_nothing_found_is_said_and_no_failure(run):
    result = run("a bicycle", "--camera", "nowhere")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing found" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("a bicycle", "--like", "car"), "one of them"),
        (("--limit", "0"), "greater than or equal to 1"),
        (("--after", "yesterday"), "'yesterday' is no time"),
        (("--after", "1h", "--before", "2h"), "after has to be earlier than before"),
    ],
)
def test_wrong_use_is_named_with_exit_code_2(run, words, said):
    result = run(*words)
    assert result.exit_code == 2
    assert said in result.stderr


def test_an_object_that_nobody_knows_is_one_clear_line(run):
    result = run("--like", "nobody")
    assert (result.exit_code, result.stderr) == (1, "error: no object nobody with a picture in the index\n")
