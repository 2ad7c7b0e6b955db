"""The text of a file whose encoding nobody stated: Unicode where it is that, else the code page that fits."""

from __future__ import annotations

import codecs
from pathlib import Path

from charset_normalizer import from_bytes

from mien.types import MienError

BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

NOT_LATIN = (
    "cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp874", "cp932", "euc_jp", "gb18030", "big5", "cp949",
)  # fmt: skip
LATIN = {
    "cp1252": ("àâæçéèêëîïôœùûüÿ", "äöüß", "áéíñóúü¿¡ºª", "àèéìîòùóí", "áâãàçéêíóôõúü", "åäöéü", "åæøéöü", "áéëïóöèü",
               "áðéíóúýþæö", "äöõüšž"),  # fr de es it pt sv/fi da/no nl is et
    "cp1250": ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "čćđšž", "ăâîşţ"),  # pl cs sk hu hr ro
    "iso8859_2": ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž"),
    "cp1254": ("çğıöşüâîû",),  # tr
    "cp1257": ("ąčęėįšųūž", "āčēģīķļņšūž"),  # lt lv
}  # fmt: skip
"""Code pages of Latin letters, the likelier first, with the letters beyond ASCII of languages written in them."""

TYPOGRAPHY = frozenset("‘’‚“”„–—…«»‹›¿¡·•°€£\u00a0\u00ad")
"""Signs that stand in texts of any language; others, such as ± or ¶, betray a wrong code page."""

SAMPLE_BYTES = 65_536  # the detector reads no more; it is as sure of that much as of a whole film


def decode(path: Path, data: bytes) -> str:
    """`data`, read from `path`, as text.

    By its byte order mark, as UTF-16 without one if every other byte is mostly zero, as UTF-8 if it is that without
    fault, else in the code page that charset-normalizer finds; which it does well but for the Latin ones (it takes
    French for Polish), so among these the one whose letters belong most to one language. Typographic quotes and
    dashes alone are Windows-1252's. Raises MienError where nothing fits.
    """
    encoding = _unicode_encoding(data) or _code_page(data)
    if encoding is not None:
        try:
            if encoding == "utf-8":  # a last letter that is cut off is dropped
                return codecs.getincrementaldecoder(encoding)().decode(data)
            return data.decode(encoding)
        except UnicodeDecodeError:
            pass
    raise MienError(f"{path} is text in no encoding that can be told; save it as UTF-8")


def _unicode_encoding(data: bytes) -> str | None:
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return encoding
    even, odd = data[::2], data[1::2]
    if data and odd.count(0) > 0.3 * len(odd) > even.count(0):  # "Oh" is 4F 00 68 00
        return "utf-16-le"
    if data and even.count(0) > 0.3 * len(even) > odd.count(0):
        return "utf-16-be"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(data) - 3 or error.reason != "unexpected end of data":
            return None
    return "utf-8"


def _code_page(data: bytes) -> str | None:
    """The code page of text that is not Unicode, judged by its lines beyond ASCII: numbers and times say nothing."""
    telling = b"\n".join(line for line in data.splitlines() if not line.isascii())[:SAMPLE_BYTES]
    high = bytes(byte for byte in telling if byte >= 0x80)
    if _decodes(data, "cp1252") and {*high.decode("cp1252")} <= TYPOGRAPHY:
        return "cp1252"
    latin = {encoding: _likeness(high, encoding) for encoding in LATIN if _decodes(data, encoding)}
    best = max(latin, key=lambda encoding: latin[encoding], default=None)
    other = from_bytes(telling, cp_isolation=[*NOT_LATIN, *LATIN]).best()
    if other is not None and other.encoding in NOT_LATIN and _decodes(data, other.encoding):
        return other.encoding
    return best


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _likeness(high: bytes, encoding: str) -> float:
    """The share of the letters beyond ASCII that one language has, for the language that has most of them."""
    letters = [letter for letter in high.decode(encoding, errors="replace").lower() if letter not in TYPOGRAPHY]
    return max(sum(letter in own for letter in letters) for own in LATIN[encoding]) / max(1, len(letters))
