"""Speech recognition: a tiny Whisper of random weights, converted and run as a real one; its words are nonsense."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tracemalloc
import wave
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float32, Int16
from made_sounds import write_sound

from mien.language.transcribe import SpeechRecogniser, _captions, transcribe
from mien.media.sound import SAMPLE_RATE, sound_pieces
from mien.types import UNKNOWN, Caption, MienError

pytestmark = pytest.mark.slow

ctranslate2 = pytest.importorskip("ctranslate2", reason="needs the extra asr")
feature_extractor = pytest.importorskip("faster_whisper.feature_extractor")
tokenizers = pytest.importorskip("tokenizers")
transformers = pytest.importorskip("transformers", reason="needs the extra hf, to build a Whisper")

MARKS = (
    "endoftext", "startoftranscript", "en", "de", "translate", "transcribe", "startoflm", "startofprev", "nospeech",
    "notimestamps",
)  # fmt: skip
NUM_TIMES = 1501
MULTILINGUAL_VOCABULARY = 51_865
"""A smaller vocabulary, or one without an empty token, is taken for an English model's."""


@pytest.fixture(scope="module")
def whisper_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Whisper of two narrow layers, in CTranslate2's format."""
    root = tmp_path_factory.mktemp("whisper")
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    num_unused = MULTILINGUAL_VOCABULARY - len(letters) - 1 - len(MARKS) - NUM_TIMES
    letters += ["", *(f"unused{i}" for i in range(num_unused))]
    specials = [f"<|{mark}|>" for mark in MARKS]
    tokenizer = transformers.WhisperTokenizerFast(
        vocab={token: i for i, token in enumerate(letters + specials[:1])}, merges=[]
    )
    tokenizer.add_special_tokens({"additional_special_tokens": specials[1:]})
    tokenizer.save_pretrained(root / "transformers")
    extractor = transformers.WhisperFeatureExtractor()
    extractor.save_pretrained(root / "transformers")
    ids = {mark: len(letters) + i for i, mark in enumerate(MARKS)}
    torch.manual_seed(0)
    config = transformers.WhisperConfig(
        vocab_size=len(letters) + len(MARKS) + NUM_TIMES,
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        bos_token_id=ids["endoftext"],
        eos_token_id=ids["endoftext"],
        pad_token_id=ids["endoftext"],
        decoder_start_token_id=ids["startoftranscript"],
    )
    whisper = transformers.WhisperForConditionalGeneration(config)
    whisper.generation_config = transformers.GenerationConfig(
        suppress_tokens=list(range(256, ids["endoftext"])),  # the unused ones
        begin_suppress_tokens=[ids["endoftext"]],
        lang_to_id={"<|en|>": ids["en"], "<|de|>": ids["de"]},
        decoder_start_token_id=ids["startoftranscript"],
    )
    whisper.save_pretrained(root / "transformers")
    converter = ctranslate2.converters.TransformersConverter(
        str(root / "transformers"), copy_files=["tokenizer.json", "preprocessor_config.json"]
    )
    return Path(converter.convert(str(root / "whisper-random"), quantization="int8"))


@pytest.fixture(scope="module")
def recogniser(whisper_folder: Path) -> SpeechRecogniser:
    return SpeechRecogniser.load(str(whisper_folder), threads=1)


def require_times_in_order(captions: list[Caption], *, duration_s: float) -> None:
    words = [word for caption in captions for word in caption.words]
    times = [time for word in words for time in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert all(0 <= time <= duration_s for time in times)
    for caption in captions:
        assert caption.text == " ".join(word.text for word in caption.words)
        assert (caption.start_s, caption.end_s) == (caption.words[0].start_s, caption.words[-1].end_s)


def test_words_of_a_video_have_times_within_it(recogniser: SpeechRecogniser, tmp_path: Path) -> None:
    video = write_sound(tmp_path / "tone.mp4", seconds=3.0, with_video=True)
    captions, language = transcribe(video, model=recogniser, vad=False)
    assert captions
    assert language in ("en", "de")
    require_times_in_order(captions, duration_s=3.2)  # AAC fills up its last frame
    assert transcribe(video, model=recogniser, vad=False) == (captions, language)  # no word is drawn at random
    assert transcribe(video, model=recogniser, language="de", vad=False)[1] == "de"


def test_a_tone_is_no_voice_and_has_no_language(recogniser: SpeechRecogniser, tmp_path: Path) -> None:
    assert transcribe(write_sound(tmp_path / "tone.wav"), model=recogniser) == ([], UNKNOWN)


def test_id_names_the_folder_and_its_weights(
    whisper_folder: Path, recogniser: SpeechRecogniser, tmp_path: Path
) -> None:
    assert re.fullmatch(r"whisper-random@[0-9a-f]{12}", recogniser.id)
    other = shutil.copytree(whisper_folder, tmp_path / "whisper-random")
    assert SpeechRecogniser.load(str(other)).id == recogniser.id
    with (other / "model.bin").open("ab") as weights:
        weights.write(b"0")
    assert SpeechRecogniser.load(str(other)).id != recogniser.id


class Counter:
    """A recogniser to which every stretch of loud samples is a word, whose text is the first of them."""

    supported_languages = ("en", "de")

    def __init__(self) -> None:
        self.told: list[str | None] = []

    def transcribe(self, sound: Float32[np.ndarray, "n"], *, language: str | None, **_: object) -> tuple[Any, Any]:
        self.told.append(language)
        edges = np.flatnonzero(np.diff(np.abs(sound) > 0.1, prepend=False, append=False)).reshape(-1, 2)
        words = [
            SimpleNamespace(start=a / SAMPLE_RATE, end=b / SAMPLE_RATE, word=f" {sound[a] * 32768:.0f}")
            for a, b in edges
        ]
        return [SimpleNamespace(words=words)], SimpleNamespace(language=language or "de")


def write_words(path: Path, *, starts_s: list[float], seconds: float) -> Path:
    """A word of 0.8 s from each start on, whose samples are all 5000 and its number."""
    sound = np.zeros(round(seconds * SAMPLE_RATE), dtype=np.int16)
    for k, start_s in enumerate(starts_s):
        first = round(start_s * SAMPLE_RATE)
        sound[first : first + round(0.8 * SAMPLE_RATE)] = 5000 + k
    return write_wave(path, sound)


def write_wave(path: Path, sound: Int16[np.ndarray, "n"]) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes(sound.astype("<i2").tobytes())
    return path


@pytest.fixture
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.media.sound.PIECE_S", 8.0)
    monkeypatch.setattr("mien.media.sound.LOOK_BACK_S", 3.0)


@pytest.mark.usefixtures("short_pieces")
def test_no_word_is_cut_lost_or_doubled_where_pieces_meet(tmp_path: Path) -> None:
    starts_s = [0.5 + 1.7 * k for k in range(20)]  # 0.9 s between words
    counter = Counter()
    video = write_words(tmp_path / "words.wav", starts_s=starts_s, seconds=35.0)
    captions, _ = SpeechRecogniser(counter, id="counter").transcribe(video)
    assert len(counter.told) >= 5
    words = [word for caption in captions for word in caption.words]
    assert [word.text for word in words] == [str(5000 + k) for k in range(20)]
    assert [word.start_s for word in words] == pytest.approx(starts_s, abs=1e-4)
    assert [word.end_s for word in words] == pytest.approx([s + 0.8 for s in starts_s], abs=1e-4)


@pytest.mark.usefixtures("short_pieces")
def test_language_is_that_of_the_first_piece_in_which_something_is_said(tmp_path: Path) -> None:
    counter = Counter()
    video = write_words(tmp_path / "words.wav", starts_s=[20.0, 26.0, 32.0], seconds=35.0)
    assert SpeechRecogniser(counter, id="counter").transcribe(video)[1] == "de"
    assert counter.told[0] is None
    assert set(counter.told[1:]) == {"de"}  # and silent pieces are not listened to
    counter = Counter()
    assert SpeechRecogniser(counter, id="counter").transcribe(video, language="en-GB")[1] == "en"
    assert set(counter.told) == {"en"}


@pytest.mark.usefixtures("short_pieces")
def test_words_of_a_video_are_those_of_its_pieces(recogniser: SpeechRecogniser, tmp_path: Path) -> None:
    video = write_words(tmp_path / "words.wav", starts_s=[1.0, 4.0, 9.0], seconds=12.0)
    captions, _ = recogniser.transcribe(video, language="de", vad=False)
    require_times_in_order(captions, duration_s=12.0)
    expected, start_s = list[tuple[str, float, float]](), 0.0
    for k, sound in enumerate(sound_pieces(video)):
        piece = write_wave(tmp_path / f"{k}.wav", (sound * 32768).astype(np.int16))
        alone, _ = recogniser.transcribe(piece, language="de", vad=False)
        expected += [(w.text, w.start_s + start_s, w.end_s + start_s) for c in alone for w in c.words]
        start_s += len(sound) / SAMPLE_RATE
    words = [word for caption in captions for word in caption.words]
    assert words[0].end_s < 6 < words[-1].start_s  # both pieces have some
    assert [word.text for word in words] == [text for text, _, _ in expected]
    times = [(word.start_s, word.end_s) for word in words]
    np.testing.assert_allclose(times, [(start, end) for _, start, end in expected], atol=1e-6)


class Spectrum(Counter):
    """A recogniser that computes the spectrum, which is what takes the memory, and hears nothing."""

    def transcribe(self, sound: Float32[np.ndarray, "n"], **_: object) -> tuple[Any, Any]:
        feature_extractor.FeatureExtractor()(sound)
        return [], SimpleNamespace(language="en")


def test_memory_does_not_grow_with_the_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.media.sound.PIECE_S", 60.0)
    noise = np.random.default_rng(0).integers(-500, 500, 300 * SAMPLE_RATE).astype(np.int16)
    peaks = []
    for seconds in (60, 300):
        video = write_wave(tmp_path / f"{seconds}.wav", noise[: seconds * SAMPLE_RATE])
        tracemalloc.start()
        SpeechRecogniser(Spectrum(), id="spectrum").transcribe(video)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] > 50e6
    assert peaks[1] < 1.1 * peaks[0]


def test_times_that_run_backwards_are_put_in_order() -> None:
    words = [
        SimpleNamespace(start=a, end=b, word=w) for a, b, w in [(1.0, 2.0, " so"), (1.5, 1.2, " it"), (2, 9, " is")]
    ]
    (caption,) = _captions([SimpleNamespace(words=words), SimpleNamespace(words=None)], start_s=0.0, end_s=4.0)
    assert [(w.start_s, w.end_s, w.text) for w in caption.words] == [(1, 2, "so"), (2, 2, "it"), (2, 4, "is")]


def test_language_that_the_model_does_not_know_is_named(recogniser: SpeechRecogniser, tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"does not know the language 'xx'; it knows .*en"):
        recogniser.transcribe(tmp_path / "any.mp4", language="xx")


@pytest.mark.parametrize("name", ["model.bin", "tokenizer.json"])
def test_folder_without_a_whole_model_is_named(whisper_folder: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(whisper_folder, tmp_path / "model")
    (folder / name).unlink()
    with pytest.raises(MienError, match=f"model has no {name}"):
        SpeechRecogniser.load(str(folder))


def test_folder_with_a_broken_model_is_named(whisper_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(whisper_folder, tmp_path / "model")
    (folder / "model.bin").write_bytes(b"not this")
    with pytest.raises(MienError, match="model cannot be loaded"):
        SpeechRecogniser.load(str(folder))


def test_model_that_cannot_be_fetched_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for name in ("tiny", "nobody/nothing", "enormous"):
        with pytest.raises(MienError, match=f"{name} is not a folder here, and could not be fetched"):
            SpeechRecogniser.load(name)


def test_missing_extra_is_named(whisper_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(MienError, match=r"pip install 'mien\[asr\]'"):
        SpeechRecogniser.load(str(whisper_folder))


@pytest.mark.real_data
def test_words_of_a_real_recording_have_times_within_it(recogniser: SpeechRecogniser, real_data: Path) -> None:
    captions, _ = transcribe(real_data / "people" / "endgame_nagg_nell.wav", model=recogniser)
    assert captions
    require_times_in_order(captions, duration_s=28.4)


@pytest.mark.real_data
@pytest.mark.slow
def test_real_model_recognises_what_is_said(real_data: Path) -> None:
    folder = os.environ.get("MIEN_TEST_WHISPER")
    if folder is None:
        pytest.skip("MIEN_TEST_WHISPER is not set; it names the folder of a real Whisper model for CTranslate2")
    captions, language = transcribe(real_data / "people" / "endgame_nagg_nell.wav", model=folder)
    assert language == "en"
    require_times_in_order(captions, duration_s=28.4)
    said = {word.text.lower().strip(".,?!") for caption in captions for word in caption.words}
    assert {"you", "the"} <= said
    assert len(said) > 15
