"""The one error users see, and the name they may have meant; on its own, so that the CLI can start without torch."""

from collections.abc import Iterable
from difflib import get_close_matches


class MienError(Exception):
    """Something the user can mend; the message names the value and the remedy."""


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The end of a message that there is no `name`: "; did you mean 'meld'?", or nothing where none is like it."""
    near = get_close_matches(name.lower(), list(names), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
