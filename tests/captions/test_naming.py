"""Emotions by name: one prompt each, in one template, varied and deterministic."""

from __future__ import annotations

from mien.captions.lexicon import FACE_EMOTIONS
from mien.captions.naming import FACE_TEMPLATES, name_emotions


def filled(template: str, text: str) -> str | None:
    """What stands in the template's place, if the text is of this template."""
    before, after = template.split("{}")
    if not (text.startswith(before) and text.endswith(after)):
        return None
    return text[len(before) : len(text) - len(after)]


def test_every_emotion_has_one_prompt_and_all_share_a_template() -> None:
    for variant in range(40):
        prompts = name_emotions(FACE_EMOTIONS, seed=3, variant=variant)
        assert len(set(prompts)) == len(FACE_EMOTIONS)
        assert any(all(filled(template, text) for text in prompts) for template in FACE_TEMPLATES)


def test_names_are_the_emotion_s_own_about_half_of_the_time() -> None:
    prompts = [name_emotions(("fear",), seed=0, variant=variant)[0] for variant in range(400)]
    own = sum("fear" in text for text in prompts)
    assert 180 < own < 320  # other nouns may be drawn as "fear" too
    assert len(set(prompts)) > 10


def test_prompts_are_a_function_of_seed_and_variant() -> None:
    assert name_emotions(FACE_EMOTIONS, seed=1, variant=2) == name_emotions(FACE_EMOTIONS, seed=1, variant=2)
    assert len({name_emotions(FACE_EMOTIONS, seed=1, variant=variant) for variant in range(9)}) > 5


def test_what_the_lexicon_does_not_know_goes_by_its_name() -> None:
    texts = [name_emotions(("boredom",), seed=0, variant=variant)[0] for variant in range(20)]
    assert all("boredom" in text for text in texts)
