"""The type checker that jaxtyping's import hook puts on every function of mien under test."""

from __future__ import annotations

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int passes for a float, as in typing
