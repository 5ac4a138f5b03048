"""Where model files lie, and whether they are the ones that were meant."""

from __future__ import annotations

import hashlib
from pathlib import Path

from streams.domain.errors import SettingsError
from streams.files import shipped
from streams.settings import Models

_SHIPPED = {
    "joint_text.onnx": "1b26441439b4d576378d08c74dfa0bbd514f699b17c520775503baccc807dfd8",
    "joint_vision.onnx": "fd5ffc50650f9da3b914774b9d22f82e3779d0177ebfc11a444ac729d8d1c51c",
    "ssd_oidv4.onnx": "a0ca281cebfa9e021c000a561bfcfda8f2b586cb56d87fad5c23edc3e525941e",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
"""SHA-256 of the files in `infra/models/mini`; NOTICE names their origins."""


def model_file(name: str, settings: Models, *, setting: str) -> Path:
    """The file that `setting` names: in `models.folder`, else among the shipped ones.

    Its SHA-256 is checked where `models.sha256` lists it, and always for shipped files; files that are listed and
    lie beside it under a longer name (external weights, `model.onnx_data`) are checked too. Raises `SettingsError`.
    """
    home = shipped("infra", "models", "mini")
    tried = [folder / name for folder in (settings.folder, home) if folder is not None]
    found = next((path for path in tried if path.is_file()), None)
    if found is None:
        raise SettingsError(f"{setting}: no file at {' or '.join(map(str, tried))}")
    sums = _SHIPPED | settings.sha256 if found.parent == home else settings.sha256
    for listed, expected in sums.items():
        if listed.startswith(name):
            _check(found.with_name(Path(listed).name), expected.lower())
    return found


def _check(path: Path, expected: str) -> None:
    try:
        with path.open("rb") as file:
            real = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SettingsError(f"models.sha256: {path} cannot be read: {error.strerror}") from error
    if real != expected:
        raise SettingsError(f"models.sha256: {path} has SHA-256 {real}, expected {expected}")
