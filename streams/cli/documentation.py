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
    """The commands that do something, each with its usage and its summary."""
    below = getattr(command, "commands", None)
    if below is None:
        usage = " ".join((ctx.command_path, *map(_parameter, command.params)))
        yield f"`{usage}`", command.get_short_help_str(200)
        return
    for name in command.list_commands(ctx):
        child = below[name]
        yield from _commands(child, typer.Context(child, info_name=name, parent=ctx))


def _parameter(parameter: Click) -> str:
    value = parameter.metavar or parameter.name.upper()
    if parameter.param_type_name == "argument":
        several = "..." if parameter.nargs < 0 else ""
        return f"{value}{several}" if parameter.required else f"[{value}{several}]"
    several = "..." if parameter.multiple else ""
    return f"[{parameter.opts[0]}{'' if parameter.is_flag else f' {value}'}]{several}"


def main() -> None:
    for name in sys.argv[1:]:
        file = Path(name)
        file.write_text(rewrite(file.read_text(encoding="utf-8"), blocks()), encoding="utf-8")


if __name__ == "__main__":
    main()
