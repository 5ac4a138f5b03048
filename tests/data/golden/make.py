"""Writes the golden bytes that a newly frozen version lacks, from its largest example; never rewrites old ones.

Run it as `python -m tests.data.golden.make` after `nvr-streams schemas freeze`.
"""

from __future__ import annotations

import msgspec

from streams.adapters.avro import AvroForm
from tests.support.schema_samples import Released, everything


def make(released: Released) -> None:
    version = len(released.versions)
    if released.golden(version).exists():
        return
    form = AvroForm(released.record, released.versions[-1])
    example = max(released.examples().values(), key=lambda each: len(form.body(each)))
    released.golden(version).write_bytes(form.body(example))
    told = msgspec.json.format(msgspec.json.encode(example), indent=2)
    released.told(version).write_bytes(told + b"\n")


if __name__ == "__main__":
    for each in everything():
        make(each)
