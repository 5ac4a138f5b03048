"""From a changed schema to a frozen version: what may be released, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from streams.adapters.catalogue import Catalogue
from streams.adapters.schema_files import SchemaFiles
from streams.files import shipped
from streams.operations.schemas import freeze, review

CATALOGUE = Catalogue("nvr")


@pytest.fixture
def files(tmp_path: Path) -> SchemaFiles:
    """A copy of the shipped schemas, to be changed."""
    return SchemaFiles(Path(shutil.copytree(shipped("schemas"), tmp_path / "schemas")))


def edit(files: SchemaFiles, name: str) -> tuple[Path, dict[str, Any]]:
    part = files.folder / "avro" / f"{name}.avsc"
    return part, json.loads(part.read_text())


def add_field(files: SchemaFiles, name: str, **field: Any) -> None:
    part, schema = edit(files, name)
    schema["fields"].append({"name": "added", "type": "string", "doc": "New.", **field})
    part.write_text(json.dumps(schema))


def test_what_is_shipped_is_fit_for_release() -> None:
    assert review(CATALOGUE, SchemaFiles()) == []


def test_freezing_what_did_not_change_writes_nothing(files: SchemaFiles) -> None:
    assert freeze(CATALOGUE, files) == []


def test_a_grown_part_makes_a_new_version_of_everything_that_has_it(files: SchemaFiles) -> None:
    add_field(files, "Segment", default="")
    assert review(CATALOGUE, files) == ["recordings-value: not frozen as it is now; run: nvr-streams schemas freeze"]
    written = freeze(CATALOGUE, files)
    assert written == [files.folder / "frozen" / "recordings-value" / "v2.avsc"]
    assert review(CATALOGUE, files) == []
    assert len(files.frozen("recordings-value")) == 2


def test_other_words_in_the_documentation_make_no_version(files: SchemaFiles) -> None:
    part, schema = edit(files, "Segment")
    part.write_text(json.dumps({**schema, "doc": "Other words."}))
    assert freeze(CATALOGUE, files) == []


def test_a_change_that_breaks_readers_is_not_frozen(files: SchemaFiles) -> None:
    add_field(files, "Segment")
    add_field(files, "Detections", default="")
    with pytest.raises(ValueError, match=r"recordings-value against its v1.*missing default"):
        freeze(CATALOGUE, files)
    assert len(files.frozen("detections-value")) == 1


def test_what_grew_once_may_not_come_back_as_something_else(files: SchemaFiles) -> None:
    """Transitively: every version against all that were ever released, not against the last one alone."""
    add_field(files, "Detections", default="")
    freeze(CATALOGUE, files)
    part, schema = edit(files, "Detections")
    part.write_text(json.dumps({**schema, "fields": schema["fields"][:-1]}))
    freeze(CATALOGUE, files)
    add_field(files, "Detections", type="int", default=0)
    with pytest.raises(ValueError, match="detections-value against its v2"):
        freeze(CATALOGUE, files)


def test_a_field_without_documentation_is_not_frozen(files: SchemaFiles) -> None:
    add_field(files, "Detections", default="", doc="")
    with pytest.raises(ValueError, match=r"detections-value \.added: no doc"):
        freeze(CATALOGUE, files)


def test_a_state_is_frozen_beside_the_topics(files: SchemaFiles) -> None:
    state = {
        "type": "record",
        "name": "Waiting",
        "namespace": "nvr.streams.state",
        "doc": "New.",
        "fields": [{"name": "box", "type": "nvr.streams.Box", "doc": "New."}],
    }
    (files.folder / "state" / "Waiting.avsc").write_text(json.dumps(state))
    assert freeze(CATALOGUE, files) == [files.folder / "frozen" / "state-Waiting" / "v1.avsc"]


def test_a_part_without_a_file_is_named(files: SchemaFiles) -> None:
    (files.folder / "avro" / "Segment.avsc").unlink()
    with pytest.raises(LookupError, match=r"no schema nvr\.streams\.Segment"):
        review(CATALOGUE, files)


def test_frozen_files_are_the_same_however_often_they_are_made(files: SchemaFiles) -> None:
    frozen = files.folder / "frozen" / "events-value" / "v1.avsc"
    before = frozen.read_text()
    shutil.rmtree(files.folder / "frozen")
    freeze(CATALOGUE, files)
    assert frozen.read_text() == before
