"""Rewrites the marked blocks of a README with what the program knows: `python -m streams.cli.documentation README.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import typer
from typer.main import get_command

from streams.cli import Click, program
from streams.operations.documentation import fenced, rewrite, settings_table, table, topics_table, topology_mermaid
from streams.settings import Settings


def blocks() -> Mapping[str, str]:
    """The content of each block by its name."""
    return {
        "topics": topics_table(),
        "settings": settings_table(),
        "commands": commands_table(),
        "topology": fenced("mermaid", topology_mermaid(Settings.model_construct())),
    }


def commands_table() -> str:
    """Every command, its options and what it does."""
    root = get_command(program())
    return table(("command", "what it does"), _commands(root, typer.Context(root, info_name="nvr-streams")))


def _commands(command: Click, ctx: Click) -> Iterator[tuple[str, str]]:
    """The commands without commands below them, deepest names last."""
    below = getattr(command, "commands", None)
    if below is None:
        usage = " ".join(command.collect_usage_pieces(ctx)[1:])
        options = " ".join(f"[{option}]" for option in _options(command))
        yield f"`{' '.join(filter(None, (ctx.command_path, usage, options)))}`", command.get_short_help_str(200)
        return
    for name in command.list_commands(ctx):
        child = below[name]
        yield from _commands(child, typer.Context(child, info_name=name, parent=ctx))


def _options(command: Click) -> Iterator[str]:
    for param in command.params:
        if param.param_type_name == "option" and not param.hidden:
            value = "" if param.is_flag else f" {(param.name or '').upper()}"
            yield f"{param.opts[0]}{value}"


def main() -> None:
    for name in sys.argv[1:]:
        file = Path(name)
        file.write_text(rewrite(file.read_text(encoding="utf-8"), blocks()), encoding="utf-8")


if __name__ == "__main__":
    main()
