"""The command line `nvr-streams`: its options, its commands, and what its errors look like."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer
from typer.core import TyperGroup
from typer.main import get_group

from streams.domain.errors import Gone, Outage, Poison, SettingsError

if TYPE_CHECKING:
    from streams.settings import Settings

Click: TypeAlias = Any
"""Typer's own commands, contexts and formatters, whose classes it keeps private."""

COMMANDS: Mapping[str, str] = {
    "worker": "Run agents until stopped.",
    "play": "Play videos through the detector and tracker into the topics of events.",
    "demo": "Show everything at work on this machine, from a video to a search.",
    "search": "Find objects by words, by likeness and by what is known about them.",
    "objects": "List and show objects, with everything that is known about them.",
    "tail": "Follow a topic, decoded to JSON lines.",
    "topics": "Make, verify and list the topics.",
    "schemas": "Register and verify the schemas.",
    "topology": "Print the graph of agents and topics, as Mermaid.",
    "status": "Show how things stand, and what to do.",
    "dead-letters": "List, show, replay and discard the messages that could not be processed.",
    "cameras": "List, set and remove the settings of cameras.",
    "config": "Show and check the settings.",
    "local": "Run the broker and the registry of one machine.",
}
"""Every command with its summary. Its module is imported when the command is asked for, so that help comes at once."""

GROUPS = frozenset({"objects", "topics", "schemas", "dead-letters", "cameras", "config", "local"})
"""Commands of commands: their modules have `commands()`, those of the others `register(app)`."""

WITHOUT_SETTINGS = frozenset({"local"})
"""Commands that work also where the settings are wrong."""

_ASKS_FOR_HELP = "streams.cli.help"
"""Whether a command's help is asked for, which is given also where the settings are wrong."""


def main() -> None:
    """Run the program: exit code 0, 1 (failed), 2 (wrong use) or 130 (Ctrl-C)."""
    program()()


def program() -> typer.Typer:
    """The whole command line."""
    app = typer.Typer(
        cls=Program,
        name="nvr-streams",
        help="Turns what a camera system sees into searchable knowledge.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    return app


class Program(TyperGroup):
    """Loads a command when it is asked for, and turns expected errors into one clear line."""

    def __init__(self, **attributes: Click) -> None:
        super().__init__(**attributes)
        self.commands = _Shelf()  # type: ignore[assignment]  # nothing is ever put on it

    def list_commands(self, ctx: Click) -> list[str]:
        del ctx
        return list(COMMANDS)

    def format_commands(self, ctx: Click, formatter: Click) -> None:
        """List the summaries without loading a command."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: Click) -> Click:
        ctx.meta[_ASKS_FOR_HELP] = "--help" in ctx.args
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except _expected() as error:
            if ctx.params["debug"] or type(error) in {KeyError, IndexError}:
                raise
            typer.echo(f"error: {_words(error, ctx.obj)}", err=True)
            raise typer.Exit(1) from error


class _Shelf(Mapping[str, Click]):
    def __getitem__(self, name: str) -> Click:
        if name not in COMMANDS:
            raise KeyError(name)
        module = import_module(f"streams.cli.{name.replace('-', '_')}")
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        if name in GROUPS:
            app.add_typer(module.commands(), name=name, help=COMMANDS[name])
        else:
            module.register(app)
        return get_group(app).commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


def _print_version(given: bool) -> None:  # noqa: FBT001  # typer calls it so
    if given:
        typer.echo(version("nvr-streams"))
        raise typer.Exit


def _options(
    ctx: typer.Context,
    *,
    config: Annotated[
        Path | None, typer.Option(envvar="NVR_STREAMS_CONFIG", help="YAML file with the settings.", show_envvar=True)
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and everything that is logged.")] = False,
    show_version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    del show_version
    if ctx.invoked_subcommand in WITHOUT_SETTINGS or ctx.meta[_ASKS_FOR_HELP]:
        return
    from streams.adapters.logs import configure
    from streams.settings import Log, load, secrets

    settings = load(config)
    configure(Log(level="debug" if debug else "warning"), secrets=secrets(settings))
    ctx.obj = settings


def _expected() -> tuple[type[Exception], ...]:
    """Errors that say by themselves what is wrong. The Kafka client's counts where that was loaded at all."""
    kafka = sys.modules.get("confluent_kafka")
    ours = (SettingsError, Outage, Poison, Gone, LookupError, OSError)
    return (*ours, kafka.KafkaException) if kafka else ours


def _words(error: Exception, settings: Settings | None) -> str:
    """An error's own words, without the secrets that an address or a neighbour's answer may have brought into them."""
    from streams.adapters.logs import HideSecrets
    from streams.settings import secrets

    known = secrets(settings) if settings else ()
    return HideSecrets(known).text(str(error) or type(error).__name__)
