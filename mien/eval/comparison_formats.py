"""The forms that comparison tables take: for a README, a spreadsheet, a paper, a terminal, a program."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, Literal

from rich.markup import escape
from rich.table import Table

from mien.eval.comparison import Cell, Column, ComparisonTable, Row
from mien.eval.groups import group_rows
from mien.eval.results import EvalResult
from mien.terminal import output, print_json, say

NOT_TOLD = "not told"

Form = Literal["terminal", "markdown", "csv", "latex", "json"]


def show(tables: Sequence[ComparisonTable], *, form: Form) -> None:
    """Print the tables to stdout; on a terminal, what must be said of them goes to stderr."""
    match form:
        case "json":
            print_json(to_records(tables))
        case "csv":
            print(to_csv(tables), end="")
        case "markdown":
            print(to_markdown(tables), end="")
        case "latex":
            print(to_latex(tables), end="")
        case "terminal":
            for table in tables:
                output.print(f"[bold]{escape(table.title)}[/]", soft_wrap=True)
                output.print(to_rich(table))
                for note in notes(table):
                    say(f"  {escape(note)}", style="dim")


def show_groups(runs: Sequence[tuple[str, EvalResult]]) -> None:
    """Print the scores by the samples' attributes on a terminal, if the release tells any."""
    lines = group_rows(runs)
    if not lines:
        return
    shown = Table(box=None, header_style="bold", pad_edge=False)
    for name in lines[0]:
        shown.add_column(escape(name), overflow="fold")
    for line in lines[1:]:
        shown.add_row(*map(escape, line))
    output.print(shown)


def to_markdown(tables: Sequence[ComparisonTable]) -> str:
    """A heading, a table and notes for each."""
    return "\n".join(_markdown(table) for table in tables)


def to_csv(tables: Sequence[ComparisonTable]) -> str:
    """One long table, a line a number."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(_FIELDS), lineterminator="\n")
    writer.writeheader()
    writer.writerows(to_records(tables))
    return text.getvalue()


def to_latex(tables: Sequence[ComparisonTable]) -> str:
    r"""A `tabular` with booktabs' rules for each; wants \usepackage{booktabs}."""
    return "\n".join(_latex(table) for table in tables)


def to_rich(table: ComparisonTable) -> Table:
    """For a terminal: the longer side of the table goes down."""
    head = ["run", "split", *(column.title for column in table.columns)]
    lines = [head, *_lines(table)]
    if len(head) > len(lines):
        lines = [list(line) for line in zip(*lines, strict=True)]
    shown = Table(box=None, header_style="bold", pad_edge=False)
    for position, name in enumerate(lines[0]):
        shown.add_column(escape(name), justify="right" if position else "left", overflow="fold")
    for line in lines[1:]:
        shown.add_row(*map(escape, line))
    return shown


def to_records(tables: Sequence[ComparisonTable]) -> list[dict[str, Any]]:
    """A record a number."""
    return [
        dict(zip(_FIELDS, _values(table, row, column, cell), strict=True))
        for table in tables
        for row in table.rows
        for column, cell in row.cells.items()
    ]


def notes(table: ComparisonTable) -> list[str]:
    """What must be said of a table, a line each, sources included."""
    sources = dict.fromkeys(row.source for row in table.rows if row.source)
    return [*(" ".join(note.split()) for note in table.notes), *(f"published: {source}" for source in sources)]


_FIELDS = (
    "benchmark", "protocol", "is_generated", "kind", "run", "split", "task", "metric", "dimension", "value", "low",
    "high", "num_groups", "deviation", "is_percent", "best_published_is_outside", "source",
)  # fmt: skip


def _values(table: ComparisonTable, row: Row, column: Column, cell: Cell) -> tuple[Any, ...]:
    where = (table.benchmark, table.protocol, table.is_generated, row.kind, row.name, row.split)
    what = (column.task, column.metric, column.dimension)
    return (
        *where,
        *what,
        cell.value,
        cell.low,
        cell.high,
        cell.num_groups,
        cell.deviation,
        column.is_percent,
        cell.is_apart,
        row.source,
    )


def _markdown(table: ComparisonTable) -> str:
    head = ["run", "split", *(column.title for column in table.columns)]
    rule = ["---", "---"] + ["---:"] * len(table.columns)
    lines = [" | ".join(cell.replace("|", r"\|") for cell in line) for line in (head, rule, *_lines(table))]
    told = [f"- {note}" for note in notes(table)]
    return "\n".join([f"### {table.title}", "", *(f"| {line} |" for line in lines), "", *told]).rstrip() + "\n"


def _latex(table: ComparisonTable) -> str:
    head = ["run", "split", *(column.title for column in table.columns)]
    told = [" & ".join(map(_escape_latex, line)) + r" \\" for line in (head, *_lines(table))]
    return "\n".join(
        [
            f"% {table.title}",
            *(f"% {note}" for note in notes(table)),
            rf"\begin{{tabular}}{{ll{'r' * len(table.columns)}}}",
            r"\toprule",
            told[0],
            r"\midrule",
            *told[1:],
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _lines(table: ComparisonTable) -> list[list[str]]:
    return [
        [_name(row), row.split or NOT_TOLD, *(_text(row.cells.get(column), column) for column in table.columns)]
        for row in table.rows
    ]


def _name(row: Row) -> str:
    return f"{row.name} (published)" if row.kind == "published" else row.name


def _text(cell: Cell | None, column: Column) -> str:
    if cell is None:
        return ""
    digits = 2 if column.is_percent else 3
    interval = "" if cell.low is None else f" [{cell.low:.{digits}f}, {cell.high:.{digits}f}]"
    deviation = "" if cell.deviation is None else f" ± {cell.deviation:.{digits}f}"
    return f"{cell.value:.{digits}f}{interval}{deviation}{'*' if cell.is_apart else ''}"


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def _escape_latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
