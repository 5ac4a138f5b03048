"""What agents remember survives releases."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.adapters.schema_files import SchemaFiles
from streams.adapters.state_codec import StateCodec
from streams.domain.errors import Poison


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    count: int
    share: float = 0.5
    deadline: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    deadline: int


def schema(name: str, *fields: dict[str, object]) -> str:
    return json.dumps({"type": "record", "name": f"nvr.streams.state.{name}", "fields": fields})


COUNT = {"name": "count", "type": "long"}
SHARE = {"name": "share", "type": "double", "default": 0.5}
DEADLINE = {
    "name": "deadline",
    "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}],
    "default": None,
}


def codec(folder: Path, *versions: str) -> StateCodec:
    """A codec of both classes; `versions` are those of `Counting`."""
    released = {"state-Counting": versions, "state-Stopped": (schema("Stopped", {"name": "deadline", "type": "long"}),)}
    for subject, texts in released.items():
        (folder / "frozen" / subject).mkdir(parents=True, exist_ok=True)
        for number, text in enumerate(texts, start=1):
            (folder / "frozen" / subject / f"v{number}.avsc").write_text(text)
    return StateCodec((Counting, Stopped), SchemaFiles(folder))


V1, V2 = schema("Counting", COUNT), schema("Counting", COUNT, SHARE, DEADLINE)


def test_states_of_all_phases_come_back_as_they_were(tmp_path: Path) -> None:
    states = codec(tmp_path, V2)
    for state in (Counting(count=3), Counting(count=-1, share=0.25, deadline=2**53), Stopped(deadline=7)):
        assert states.loads(states.dumps(state)) == state


def test_bytes_start_with_the_class_and_its_version(tmp_path: Path) -> None:
    assert codec(tmp_path, V1, V2).dumps(Counting(count=3)).startswith(b"\x08Counting\x02")


def test_an_older_release_s_state_gets_the_defaults_of_new_fields(tmp_path: Path) -> None:
    old = codec(tmp_path / "old", V1).dumps(Counting(count=3))
    assert codec(tmp_path / "new", V1, V2).loads(old) == Counting(count=3, share=0.5, deadline=None)


def test_a_newer_release_s_state_is_refused_by_name(tmp_path: Path) -> None:
    new = codec(tmp_path / "new", V1, V2).dumps(Counting(count=3))
    with pytest.raises(Poison, match="undecodable state: version 2 of 'Counting': written by a newer release"):
        codec(tmp_path / "old", V1).loads(new)


@pytest.mark.parametrize(
    "data", [b"", b"\x08", b"\x08Count", b"\x08Counting", b"\x05Other\x01", b"\x08Counting\x00\x02"]
)
def test_other_bytes_are_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(Poison, match="undecodable state"):
        codec(tmp_path, V1).loads(data)


@given(data=st.binary(max_size=40))
def test_random_bytes_are_poison_and_never_anything_else(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    states = codec(tmp_path_factory.getbasetemp() / "random", V1, V2)
    with pytest.raises(Poison, match="undecodable state"):
        states.loads(data)


def test_a_state_that_cannot_be_written_is_refused_by_the_field_s_name(tmp_path: Path) -> None:
    with pytest.raises(Poison, match="unencodable: share: nan"):
        codec(tmp_path, V2).dumps(Counting(count=3, share=math.nan))


def test_a_class_that_the_agent_did_not_declare_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="str is none of Counting, Stopped"):
        codec(tmp_path, V2).dumps("a string")


def test_a_class_without_a_frozen_version_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="frozen versions of state-Counting: none"):
        StateCodec((Counting,), SchemaFiles(tmp_path))


def test_a_gap_between_versions_is_refused(tmp_path: Path) -> None:
    codec(tmp_path, V1, V2)
    (tmp_path / "frozen" / "state-Counting" / "v1.avsc").unlink()
    with pytest.raises(LookupError, match=r"frozen versions of state-Counting: \[2\], expected 1, 2, 3"):
        StateCodec((Counting,), SchemaFiles(tmp_path))
