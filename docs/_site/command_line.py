"""The command line's reference: every verb's help, as typer has it, as one page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from page_file import write_changed
from typer.core import TyperGroup

from mien.cli import app

HEAD = "# The command line\n\nWhat `mien VERB --help` says, of every verb.\n"


def write_command_line(folder: Path) -> None:
    """`cli.md`: a section a verb, with its usage, what it does, its arguments and options."""
    command = typer.main.get_command(app)
    context = command.make_context("mien", [], resilient_parsing=True)
    write_changed(folder / "cli.md", HEAD + "".join(_sections(command, context)))


def _sections(group: Any, context: Any) -> Iterator[str]:
    for name in sorted(group.list_commands(context)):
        command = group.get_command(context, name)
        own = command.make_context(name, [], parent=context, resilient_parsing=True)
        if isinstance(command, TyperGroup):
            yield f"\n## {own.command_path}\n\n{command.help or ''}\n"
            yield from (section.replace("\n## ", "\n### ", 1) for section in _sections(command, own))
        else:
            yield _section(command, own)


def _section(command: Any, context: Any) -> str:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    rows = "".join(
        f"| `{_cell(name)}` | {_cell(what)} |\n"
        for name, what in (_record(parameter, context) for parameter in command.params)
        if "--help" not in name
    )
    table = f"\n| | |\n|---|---|\n{rows}" if rows else ""
    return f"\n## {context.command_path}\n\n```text\n{usage}\n```\n{_unindented(command.help or '')}\n{table}"


def _record(parameter: Any, context: Any) -> tuple[str, str]:
    name, what = parameter.get_help_record(context)
    return name, what.replace("  [", " [")


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _unindented(text: str) -> str:
    return "\n".join(line.strip() for line in text.splitlines())
