"""Encodings that nobody states: Unicode without marks, and the code pages of subtitles older than it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.language.formats.encoding import decode
from mien.types import MienError

TEXTS = {
    "ru": ["Привет, как дела?", "Я не знаю, что тебе сказать.", "Он ушёл вчера вечером, и больше мы его не видели.",
           "Не бойся!", "Пожалуйста, останься со мной.", "Всё будет хорошо, вот увидишь."],
    "pl": ["Cześć, jak się masz?", "Nie wiem, co ci powiedzieć.", "Wyszedł wczoraj i więcej go nie widzieliśmy.",
           "Nie bój się!", "Proszę, zostań ze mną.", "Wszystko będzie dobrze, zobaczysz."],
    "el": ["Γεια σου, τι κάνεις;", "Δεν ξέρω τι να σου πω.", "Έφυγε χθες το βράδυ και δεν τον ξαναείδαμε.",
           "Μη φοβάσαι!", "Σε παρακαλώ, μείνε μαζί μου.", "Όλα θα πάνε καλά, θα δεις."],
    "ja": ["こんにちは、元気ですか？", "何と言えばいいか分からない。", "昨日の夜に出て行って、それきり会っていない。",
           "怖がらないで！", "お願い、そばにいて。", "きっと大丈夫だよ。"],
    "zh": ["你好，你怎么样？", "我不知道该对你说什么。", "他昨天晚上走了，我们再也没有见过他。", "请留在我身边。"],
    "ko": ["안녕하세요, 어떻게 지내세요?", "무슨 말을 해야 할지 모르겠어요.", "제발 내 곁에 있어 줘."],
    "fr": ["Salut, ça va ?", "Il est parti hier soir et on ne l’a plus revu.", "S’il te plaît, reste avec moi.",
           "C’était l’été dernier, à l’école.", "Où étais-tu, mon cœur ?"],
    "de": ["Wie geht’s dir?", "Ich weiß nicht, was ich dir sagen soll.", "Schöne Grüße an die Familie.", "Hör auf!"],
    "es": ["¿Qué te pasa?", "No sé qué decirte, señor.", "¡No tengas miedo!", "Mañana será otro día, ¿verdad?"],
    "en": ["It’s fine.", "We met at the café — remember?", "“Later,” he said…"],
    "tr": ["Merhaba, nasılsın?", "Sana ne diyeceğimi bilmiyorum.", "Dün akşam gitti ve onu bir daha görmedik.",
           "Lütfen benimle kal.", "Her şey güzel olacak, göreceksin."],
    "he": ["שלום, מה שלומך?", "אני לא יודע מה להגיד לך.", "הוא הלך אתמול בערב ולא ראינו אותו שוב.", "אל תפחד!"],
    "ar": ["مرحبا، كيف حالك؟", "لا أعرف ماذا أقول لك.", "غادر مساء أمس ولم نره مرة أخرى.", "من فضلك، ابق معي."],
}  # fmt: skip


def srt(lines: list[str]) -> str:
    cues = (f"{i}\n00:00:{i:02d},000 --> 00:00:{i:02d},900\n{line}\n" for i, line in enumerate(lines, start=1))
    return "\n".join(cues)


@pytest.mark.parametrize(
    ("language", "encoding"),
    [
        ("ru", "cp1251"), ("ru", "koi8_r"), ("pl", "cp1250"), ("el", "cp1253"), ("ja", "cp932"), ("ja", "euc_jp"),
        ("zh", "gb18030"), ("ko", "cp949"), ("fr", "cp1252"), ("de", "cp1252"), ("es", "cp1252"), ("en", "cp1252"),
        ("tr", "cp1254"), ("he", "cp1255"), ("ar", "cp1256"),
    ],
)  # fmt: skip
def test_code_page_is_told_from_a_few_captions(language: str, encoding: str) -> None:
    text = srt(TEXTS[language])
    assert decode(Path("v.srt"), text.encode(encoding)) == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("language", ["en", "ru", "pl"])
def test_unicode_is_told_with_and_without_a_mark(language: str, encoding: str) -> None:
    text = srt(TEXTS[language])
    assert decode(Path("v.srt"), text.encode(encoding)) == text


def test_what_is_no_text_is_refused_by_name() -> None:
    with pytest.raises(MienError, match=r"v\.srt is text in no encoding that can be told; save it as UTF-8"):
        decode(Path("v.srt"), b"\xff\xfe\x00\xd8")


def test_a_last_letter_cut_off_does_not_spoil_the_rest() -> None:
    assert decode(Path("v.srt"), "C'est déjà fini, ça".encode()[:-2]) == "C'est déjà fini, "


@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60))
def test_utf_8_is_never_taken_for_anything_else(text: str) -> None:
    assert decode(Path("v.srt"), text.encode()).removeprefix("\ufeff") == text.removeprefix("\ufeff")


@given(data=st.binary(max_size=80))
def test_any_bytes_are_text_or_refused(data: bytes) -> None:
    with suppress(MienError):
        assert isinstance(decode(Path("v.srt"), data), str)
