"""Speech recognition: a tiny Whisper of random weights, converted and run as a real one; its words are nonsense."""

from __future__ import annotations

import os
import re
import shutil
import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
import torch
from made_videos import write_video

from mien.language.transcribe import SAMPLE_RATE, SpeechRecogniser, _captions, read_sound, transcribe
from mien.types import Caption, MienError

ctranslate2 = pytest.importorskip("ctranslate2", reason="needs the extra asr")
tokenizers = pytest.importorskip("tokenizers")
transformers = pytest.importorskip("transformers", reason="needs the extra hf, to build a Whisper")

MARKS = (
    "endoftext", "startoftranscript", "en", "de", "translate", "transcribe", "startoflm", "startofprev", "nospeech",
    "notimestamps",
)  # fmt: skip
NUM_TIMES = 1501
MULTILINGUAL_VOCABULARY = 51_865
"""A smaller vocabulary, or one without an empty token, is taken for an English model's."""


def write_sound(
    path: Path,
    *,
    seconds: float = 3.0,
    amplitude: float = 0.5,
    rate: int = 44_100,
    start_s: float = 0.0,
    with_video: bool = False,
) -> Path:
    """A file with a stereo tone, 440 Hz in both channels; with grey pictures from 0 s on where asked for."""
    samples = np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate).astype(np.float32) * amplitude
    with av.open(str(path), "w") as container:
        if with_video:
            pictures = container.add_stream("libx264", rate=8)
            pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("pcm_s16le" if path.suffix in (".wav", ".mkv") else "aac", rate=rate)
        sound.layout = "stereo"
        if with_video:
            for k in range(round((start_s + seconds) * 8)):
                frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 100, np.uint8), "rgb24")
                frame.pts, frame.time_base = k, Fraction(1, 8)
                container.mux(pictures.encode(frame))
            container.mux(pictures.encode())
        stereo = np.stack([samples, samples])
        for first in range(0, stereo.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(stereo[:, first : first + 1024]), "fltp", "stereo")
            frame.sample_rate, frame.pts, frame.time_base = rate, first + round(start_s * rate), Fraction(1, rate)
            container.mux(sound.encode(frame))
        container.mux(sound.encode())
    return path


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


def test_a_tone_is_no_voice(recogniser: SpeechRecogniser, tmp_path: Path) -> None:
    assert transcribe(write_sound(tmp_path / "tone.wav"), model=recogniser)[0] == []


def test_id_names_the_folder_and_its_weights(
    whisper_folder: Path, recogniser: SpeechRecogniser, tmp_path: Path
) -> None:
    assert re.fullmatch(r"whisper-random@[0-9a-f]{12}", recogniser.id)
    other = shutil.copytree(whisper_folder, tmp_path / "whisper-random")
    assert SpeechRecogniser.load(str(other)).id == recogniser.id
    with (other / "model.bin").open("ab") as weights:
        weights.write(b"0")
    assert SpeechRecogniser.load(str(other)).id != recogniser.id


def test_times_that_run_backwards_are_put_in_order() -> None:
    words = [
        SimpleNamespace(start=a, end=b, word=w) for a, b, w in [(1.0, 2.0, " so"), (1.5, 1.2, " it"), (2, 9, " is")]
    ]
    (caption,) = _captions([SimpleNamespace(words=words), SimpleNamespace(words=None)], duration_s=4.0)
    assert [(w.start_s, w.end_s, w.text) for w in caption.words] == [(1, 2, "so"), (2, 2, "it"), (2, 4, "is")]


@pytest.mark.parametrize("name", ["tone.wav", "tone.mp4", "tone.mkv"])
def test_sound_is_mono_and_as_long_and_high_as_in_the_file(tmp_path: Path, name: str) -> None:
    sound = read_sound(write_sound(tmp_path / name, seconds=2.0))
    assert len(sound) / SAMPLE_RATE == pytest.approx(2.0, abs=0.1)
    spectrum = np.abs(np.fft.rfft(sound))
    assert spectrum.argmax() * SAMPLE_RATE / len(sound) == pytest.approx(440, abs=1)
    assert np.abs(sound).max() == pytest.approx(0.5, abs=0.1)


def test_sound_that_begins_late_is_preceded_by_silence(tmp_path: Path) -> None:
    sound = read_sound(write_sound(tmp_path / "late.mkv", seconds=1.0, start_s=1.5, with_video=True))
    assert len(sound) / SAMPLE_RATE == pytest.approx(2.5, abs=0.01)
    assert np.flatnonzero(np.abs(sound) > 0.1)[0] / SAMPLE_RATE == pytest.approx(1.5, abs=0.01)


def test_sound_that_begins_absurdly_late_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.language.transcribe.MAX_LATE_S", 1.0)
    late = write_sound(tmp_path / "late.mkv", seconds=1.0, start_s=1.5, with_video=True)
    with pytest.raises(MienError, match=r"late\.mkv: its sound begins 2 s after the file"):
        read_sound(late)


def test_sound_whose_rate_changes_midway_is_read_to_its_end(tmp_path: Path) -> None:
    parts = [write_sound(tmp_path / f"{rate}.aac", seconds=1.0, rate=rate) for rate in (44_100, 22_050)]
    (tmp_path / "both.aac").write_bytes(b"".join(part.read_bytes() for part in parts))
    sound = read_sound(tmp_path / "both.aac")
    assert len(sound) / SAMPLE_RATE == pytest.approx(2.0, abs=0.2)
    last_second = np.abs(np.fft.rfft(sound[-SAMPLE_RATE:]))
    assert last_second.argmax() == pytest.approx(440, abs=2)


def test_sound_of_a_file_that_breaks_off_is_kept(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "tone.wav", seconds=2.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 + 1])
    assert len(read_sound(path)) / SAMPLE_RATE == pytest.approx(1.0, abs=0.1)


def test_file_without_sound_is_named(tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"no video at .*missing\.mp4"):
        read_sound(tmp_path / "missing.mp4")
    with pytest.raises(MienError, match=r"mute\.mp4 has no sound"):
        read_sound(write_video(tmp_path / "mute.mp4"))
    with pytest.raises(MienError, match=r"mute\.wav: its audio track is empty or silent"):
        read_sound(write_sound(tmp_path / "mute.wav", amplitude=0.0))
    (tmp_path / "text.mp4").write_text("not this")
    with pytest.raises(MienError, match=r"text\.mp4 cannot be read"):
        read_sound(tmp_path / "text.mp4")


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
