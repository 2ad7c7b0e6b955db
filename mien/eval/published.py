"""Published numbers: what papers say they scored, as data (`published.yaml`), to stand beside ours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from mien.config import Config, load_config

PUBLISHED = Path(__file__).with_name("published.yaml")


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedValue:
    """One published number, and the kind of task, metric and dimension of ours that it answers to.

    `split` is empty where the source does not tell it. `value` is in the unit of the source: per cent or plain.
    """

    method: str
    benchmark: str
    split: str
    protocol: str
    task: str
    metric: str
    dimension: str
    value: float
    unit: Literal["percent", "number"]
    source: str
    note: str


@cache
def published_values() -> tuple[PublishedValue, ...]:
    """All of them, in the order of the file."""
    file = load_config(_File, PUBLISHED)
    return tuple(
        PublishedValue(
            method=row.method,
            benchmark=table.benchmark,
            split=table.split or "",
            protocol=table.protocol,
            task=metric.task,
            metric=metric.metric,
            dimension=metric.dimension,
            value=value,
            unit=metric.unit,
            source=file.sources[row.source],
            note=table.note,
        )
        for table in file.tables
        for row in table.rows
        for metric, value in zip(table.metrics, row.values, strict=True)
        if value is not None
    )


# ── the file ─────────────────────────────────────────────────────────────────────────────────────


class _Metric(Config):
    task: Literal["multinomial", "one_vs_rest", "ridge", "zeroshot"]
    metric: str
    dimension: str = ""
    unit: Literal["percent", "number"] = "number"


class _Row(Config):
    method: str
    values: tuple[float | None, ...]
    source: str


class _Table(Config):
    benchmark: str
    split: str | None
    protocol: str
    metrics: tuple[_Metric, ...] = Field(min_length=1)
    note: str = ""
    rows: tuple[_Row, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _rows_are_as_long_as_metrics(self) -> _Table:
        wrong = [row.method for row in self.rows if len(row.values) != len(self.metrics)]
        if wrong:
            raise ValueError(
                f"{self.benchmark}: {', '.join(wrong)} must have {len(self.metrics)} values, null for none"
            )
        return self


class _File(Config):
    sources: dict[str, str]
    tables: tuple[_Table, ...]

    @model_validator(mode="after")
    def _sources_are_named(self) -> _File:
        wrong = {row.source for table in self.tables for row in table.rows} - self.sources.keys()
        if wrong:
            raise ValueError(f"no such source: {', '.join(sorted(wrong))}")
        return self
