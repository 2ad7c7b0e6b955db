"""Lengths of time, as one tells them."""

from __future__ import annotations


def told_length(hours: float) -> str:
    """A length in the unit that suits it: 1.5 h, 12.0 min, 2.8 s."""
    return f"{hours:,.1f} h" if hours >= 1 else f"{60 * hours:.1f} min" if 60 * hours >= 1 else f"{3600 * hours:.1f} s"
