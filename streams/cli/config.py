"""`nvr-streams config`: the settings, secrets hidden."""

from __future__ import annotations

from collections.abc import Mapping

import typer
import yaml

from streams.adapters.rendering import Json, plain
from streams.cli.output import JsonOption, print_json
from streams.setting_errors import without_credentials
from streams.settings import Settings


def commands() -> typer.Typer:
    """The group of commands."""
    app = typer.Typer(no_args_is_help=True)
    app.command("show")(show)
    app.command("check")(check)
    app.command("schema")(schema)
    return app


def show(ctx: typer.Context, *, as_json: JsonOption = False) -> None:
    """Show the settings in force, defaults included, secrets hidden."""
    settings: Settings = ctx.obj
    content = _hidden(plain(settings.model_dump(mode="json")))
    if as_json:
        print_json(content)
    else:
        typer.echo(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), nl=False)


def check(ctx: typer.Context) -> None:
    """Check the settings: exit code 1 and every fault by name, if there is one."""
    file = ctx.find_root().params["config"]
    typer.echo(f"the settings are right: {file or 'no file'}, the environment, and the defaults")


def schema() -> None:
    """Print the JSON schema of the settings file, for editors."""
    print_json(Settings.model_json_schema())


def _hidden(value: Json) -> Json:
    """Secrets are hidden already; this hides the credentials inside URLs."""
    match value:
        case str():
            return without_credentials(value)
        case Mapping():
            return {key: _hidden(part) for key, part in value.items()}
        case list():
            return [_hidden(part) for part in value]
        case _:
            return value
