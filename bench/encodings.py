"""How often a code page is told from N lines of a language: real sentences from the system's message catalogues.

    python bench/encodings.py [--lines 5 30 200]

Needs /usr/share/locale/*/LC_MESSAGES/*.mo, as Linux desktops have; prints JSON: for each language the share of samples
(at most 40) that decode without a fault, and the mean of these. Languages without samples of every length are left out.
"""

from __future__ import annotations

import argparse
import gettext
import json
import random
from collections.abc import Sequence
from pathlib import Path

from mien.language.formats.encoding import decode
from mien.types import MienError

CODE_PAGES = {
    "ru": "cp1251", "uk": "cp1251", "bg": "cp1251", "sr": "cp1251", "pl": "cp1250", "cs": "cp1250", "hu": "cp1250",
    "hr": "cp1250", "ro": "cp1250", "sk": "cp1250", "el": "cp1253", "ja": "cp932", "fr": "cp1252", "de": "cp1252",
    "es": "cp1252", "it": "cp1252", "pt_BR": "cp1252", "sv": "cp1252", "da": "cp1252", "nl": "cp1252", "fi": "cp1252",
    "is": "cp1252", "et": "cp1252", "tr": "cp1254", "he": "cp1255", "ar": "cp1256", "zh_CN": "gb18030",
    "zh_TW": "big5", "ko": "cp949", "th": "cp874", "lt": "cp1257", "lv": "cp1257",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, nargs="+", default=[1, 5, 30, 200])
    numbers = parser.parse_args().lines
    shares = {language: _shares(language, encoding, numbers) for language, encoding in CODE_PAGES.items()}
    found = {language: each for language, each in shares.items() if None not in each.values()}
    means = {n: sum(each[n] or 0.0 for each in found.values()) / max(1, len(found)) for n in numbers}
    print(json.dumps({"languages": found, "mean": means}, indent=1))


def _shares(language: str, encoding: str, numbers: Sequence[int]) -> dict[int, float | None]:
    lines = [line for line in _messages(language) if _encodes(line, encoding)]
    random.Random(0).shuffle(lines)
    return {n: _share([lines[i : i + n] for i in range(0, len(lines) - n, n)][:40], encoding) for n in numbers}


def _share(samples: Sequence[Sequence[str]], encoding: str) -> float | None:
    texts = ["\n".join(sample) for sample in samples]
    return sum(_is_told(text, encoding) for text in texts) / len(texts) if texts else None


def _is_told(text: str, encoding: str) -> bool:
    try:
        return decode(Path("sample"), text.encode(encoding)) == text
    except MienError:
        return False


def _messages(language: str) -> list[str]:
    """Lines of 8 to 60 characters with letters beyond ASCII, as subtitles have."""
    found: set[str] = set()
    for path in sorted(Path("/usr/share/locale", language, "LC_MESSAGES").glob("*.mo")):
        try:
            with path.open("rb") as file:
                catalogue = gettext.GNUTranslations(file)._catalog  # its messages are in no public attribute
        except (OSError, ValueError):  # a broken catalogue: there are enough others
            continue
        found |= {text for key, text in catalogue.items() if key and isinstance(text, str) and text != key}
    return sorted(t for t in found if 8 < len(t) < 60 and "%" not in t and "\n" not in t and not t.isascii())


def _encodes(line: str, encoding: str) -> bool:
    try:
        line.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


if __name__ == "__main__":
    main()
