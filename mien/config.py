"""Configuration: strict, frozen pydantic models read from YAML with `key=value` overrides.

A component's config class stands beside the component; this file only knows how such classes are read and written.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from mien.errors import MienError, did_you_mean


class Config(BaseModel):
    """A config: unknown keys are errors, values do not change after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


C = TypeVar("C", bound=Config)


def load_config(cls: type[C], path: Path, overrides: Sequence[str] = ()) -> C:
    """The config in the YAML file `path`, with `a.b=value` overrides (values are YAML) applied to it."""
    if not path.is_file():
        raise MienError(f"no config file at {path}; the repository's examples are in configs/")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise MienError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(data, dict):
        raise MienError(f"{path} must hold a mapping of keys to values, not a {type(data).__name__}")
    return validate(cls, data, source=str(path), overrides=overrides)


def validate(cls: type[C], data: Mapping[str, Any], *, source: str, overrides: Sequence[str] = ()) -> C:
    """`data` as a `cls`, with `a.b=value` overrides; what does not fit is named with its path, value and the reason."""
    changed = copy.deepcopy(dict(data))
    for override in overrides:
        _apply(changed, override)
    try:
        return cls.model_validate(changed)
    except ValidationError as error:
        raise MienError(f"{source}: this does not fit:\n{describe(error, cls)}") from None


def describe(error: ValidationError, cls: type[Config] | None = None) -> str:
    """What does not fit in a `cls`, a line a problem."""
    return "\n".join(f"  {_describe(e, cls)}" for e in error.errors())


def dump_yaml(config: Config) -> str:
    """The config with every default spelled out; `load_config` reads it back to an equal one."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


def _apply(data: dict[str, Any], override: str) -> None:
    key, separator, value = override.partition("=")
    if not separator or not key:
        raise MienError(f"override {override!r} is not of the form key=value (say optim.lr=1e-3)")
    try:
        parsed = _value(value)
    except yaml.YAMLError:
        raise MienError(
            f"override {override!r}: {value!r} is not a YAML value; quote text: '{key}=\"{value}\"'"
        ) from None
    *parents, leaf = key.split(".")
    node = data
    for parent in parents:
        child = node.setdefault(parent, {})
        if not isinstance(child, dict):
            raise MienError(f"override {override!r}: {parent} is a value ({child!r}), not a group of keys")
        node = child
    node[leaf] = parsed


def _value(text: str) -> Any:
    value = yaml.safe_load(text)
    if isinstance(value, str):  # YAML 1.1 reads 1e-3 as a string
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _describe(error: Any, cls: type[Config] | None) -> str:
    path, keys = _without_tags(cls, error["loc"])
    where = f"{'.'.join(path)}: " if path else ""
    if error["type"] == "extra_forbidden":
        hint = did_you_mean(path[-1], keys)
        return f"{where}no such key (value {error['input']!r}); remove it or check its spelling{hint}"
    if error["type"] == "union_tag_invalid":
        return f"{where.removesuffix(': ')}.kind: {error['ctx']['tag']!r} is none of {error['ctx']['expected_tags']}"
    value = "" if isinstance(error["input"], dict) else f" (value {error['input']!r})"
    said = error["msg"].removeprefix("Value error, ")
    return f"{where}{said}{value}"


def _without_tags(cls: type[Config] | None, loc: Sequence[str | int]) -> tuple[list[str], list[str]]:
    """A place in a config as a person writes it, and the keys there are beside it, where the types tell.

    Between the name of a group of keys that may be of several kinds and those keys, pydantic puts the kind.
    """
    path, keys = list[str](), list[str]()
    group: type[BaseModel] | None = cls
    kinds: dict[str, type[BaseModel]] = {}
    for part in map(str, loc):
        if part in kinds:
            group, kinds = kinds[part], {}
            continue
        path.append(part)
        keys = [] if group is None else list(group.model_fields)
        field = None if group is None else group.model_fields.get(part)
        members = _groups(None if field is None else field.annotation)
        kinds = {str(m.model_fields["kind"].default): m for m in members if "kind" in m.model_fields}
        group = members[0] if len(members) == 1 else None
    return path, keys


def _groups(annotation: Any) -> list[type[BaseModel]]:
    """The groups of keys that a type allows: those in a union, in what is annotated, or itself."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [group for inner in get_args(annotation) for group in _groups(inner)]
