"""mien: emotion representations learnt from communication."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mien.errors import MienError

if TYPE_CHECKING:
    from mien.inference import Mien

__version__ = "0.1.0.dev0"
__all__ = ["Mien", "MienError", "__version__"]


def __getattr__(name: str) -> Any:
    """`mien.Mien`, imported when first asked for: torch takes seconds, `mien --help` must not."""
    if name == "Mien":
        from mien.inference import Mien

        return Mien
    raise AttributeError(f"module 'mien' has no attribute {name!r}")
