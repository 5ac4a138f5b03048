"""Where the files that ship with the package lie: `schemas/` and parts of `infra/`."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(*parts: str) -> Path:
    """The path of a shipped file: inside the installed wheel, or in the checkout beside the package."""
    installed = _PACKAGE / "_files"
    return (installed if installed.is_dir() else _PACKAGE.parent).joinpath(*parts)
