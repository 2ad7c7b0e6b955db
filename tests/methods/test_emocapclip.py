"""EmoCapCLIP as a method: its loss is its parts' sum, in micro-batches and processes too; texts are read once."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from gradients import assert_same_gradients, gradients
from processes import start_joined
from tiny import VOCABULARY
from tiny_captions import WITHOUT_SENTENCES, captioned_batch, captioned_config
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mien import distributed
from mien.losses import (
    info_nce_loss,
    local_info_nce,
    mine_positives,
    multi_positive_info_nce,
    soft_positives,
)
from mien.methods import EmoCapClip, EmoCapClipConfig
from mien.methods.emotionclip import subject_coverage
from mien.methods.texts import LENGTH_GROUPS
from mien.models.video_clip import MAX_LOGIT_SCALE
from mien.train.gradient_cache import cached_backward, clips_of
from mien.types import CaptionBatch, MienError

SCALE = 1 / 0.07


def build(config: EmoCapClipConfig) -> EmoCapClip:
    torch.manual_seed(0)
    return config.build().train()


def embedded(method: EmoCapClip, batch: CaptionBatch) -> tuple[Tensor, Tensor]:
    """Pictures and global sentences, as evaluation embeds them, normalised."""
    return F.normalize(method.embed(batch), dim=-1), F.normalize(method.embed_text(batch.token_ids), dim=-1)


def local_by_hand(method: EmoCapClip, batch: CaptionBatch) -> Tensor:
    """Each picture and each sentence by itself."""
    pixels, covered = method.config.preprocess.normalize(batch.frames), subject_coverage(batch, method.config.model)
    regions, sentences = [], []
    for i in range(len(batch.ids)):
        own = F.normalize(method.embed_text(batch.local_ids[i]), dim=-1)[None]
        _, patches = method.model.encode_regions(pixels[i : i + 1], covered[i : i + 1])
        assert method.pooling is not None
        regions.append(method.pooling(patches, own))
        sentences.append(own)
    return local_info_nce(
        torch.cat(regions),
        torch.cat(sentences),
        batch.present,
        theta_text=method.config.mining.theta_text,
        logit_scale=SCALE,
    )


def test_loss_is_the_weighted_sum_of_losses_called_by_hand() -> None:
    mining = {"space": "both", "theta_text": 40, "theta_image": 30, "k": 3, "warmup_steps": 0}
    config = captioned_config(summary_weight=0.5, local_weight=2.0, mining=mining)
    method, batch = build(config), captioned_batch()
    image, text = embedded(method, batch)
    summary = F.normalize(method.embed_text(batch.summary_ids), dim=-1)
    positives = mine_positives(image, text, theta_text=40, theta_image=30, k=3, space="both")
    assert positives.rows.sum() > len(batch.ids)
    parts = {
        "loss_global": multi_positive_info_nce(image, text, positives, logit_scale=SCALE),
        "loss_summary": multi_positive_info_nce(image, summary, positives, logit_scale=SCALE),
        "loss_local": local_by_hand(method, batch),
    }
    output = method(batch)
    for name, part in parts.items():
        torch.testing.assert_close(output.logs[name], part.detach(), msg=name)
    torch.testing.assert_close(
        output.loss, parts["loss_global"] + 0.5 * parts["loss_summary"] + 2.0 * parts["loss_local"]
    )


def test_one_to_one_without_summary_and_local_sentences_it_is_clips_loss() -> None:
    method, batch = build(captioned_config(summary_weight=0, local_weight=0)), captioned_batch()
    output = method(batch)
    torch.testing.assert_close(output.loss, info_nce_loss(*embedded(method, batch), logit_scale=SCALE))
    assert not {"loss_summary", "loss_local"} & output.logs.keys()
    assert output.logs["positives"] == 1


def test_votes_say_how_much_two_pictures_belong_together() -> None:
    mining = {"space": "votes", "sharpness": 4.0, "floor": 0.3, "warmup_steps": 9}  # votes need no warm-up
    method, batch = build(captioned_config(summary_weight=0, local_weight=0, mining=mining)), captioned_batch()
    positives = soft_positives(batch.votes, sharpness=4.0, floor=0.3)
    expected = multi_positive_info_nce(*embedded(method, batch), positives, logit_scale=SCALE)
    output = method(batch)
    torch.testing.assert_close(output.loss, expected)
    assert output.logs["positives"] > 1


def test_positives_are_mined_only_after_the_warm_up() -> None:
    mining = {"space": "text", "theta_text": 0.0, "k": 5, "warmup_steps": 2}
    method, batch = build(captioned_config(mining=mining)), captioned_batch()
    counts = []
    for _ in range(4):
        counts.append(float(method(batch).logs["positives"]))
        method.after_step()
    assert counts[:2] == [1, 1]
    assert min(counts[2:]) > 5


def test_equal_sentences_are_encoded_once_and_give_what_encoding_each_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    method, batch = build(captioned_config()), captioned_batch()
    expected = {
        "global": batch.token_ids,
        "summary": batch.summary_ids,
        "sentences": batch.local_ids.flatten(0, 1),
    }
    each = {name: F.normalize(method.embed_text(token_ids), dim=-1) for name, token_ids in expected.items()}
    encode_text, seen = method.model.encode_text, []

    def counted(token_ids: Tensor) -> Tensor:
        seen.append(len(token_ids))
        return encode_text(token_ids)

    monkeypatch.setattr(method.model, "encode_text", counted)
    found = method.embeddings(batch)
    assert sum(seen) == 8 + 8 + 5
    for name, rows in each.items():
        torch.testing.assert_close(found[name].reshape(rows.shape), rows, msg=name)


@pytest.mark.parametrize(("changes", "texts"), [({"summary_weight": 0}, 8 + 5), ({"local_weight": 0}, 8 + 8)])
def test_texts_of_weight_zero_are_not_read(
    changes: dict[str, float], texts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = build(captioned_config(**changes))
    encode_text, seen = method.model.encode_text, []

    def counted(token_ids: Tensor) -> Tensor:
        seen.append(len(token_ids))
        return encode_text(token_ids)

    monkeypatch.setattr(method.model, "encode_text", counted)
    method(captioned_batch())
    assert sum(seen) == texts


def test_picture_without_local_sentences_counts_in_the_other_losses_only() -> None:
    method, batch = build(captioned_config()), captioned_batch()
    others = torch.zeros_like(batch.local_ids[WITHOUT_SENTENCES])
    changed = batch.local_ids.clone()
    changed[WITHOUT_SENTENCES] = others  # what stands where nothing is present
    output, other = method(batch), method(replace(batch, local_ids=changed))
    torch.testing.assert_close(output.loss, other.loss)
    nobody = method(replace(batch, present=torch.zeros_like(batch.present)))
    assert nobody.logs["loss_local"] == 0
    nobody.loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in method.parameters() if p.grad is not None)


def test_batch_that_has_no_room_for_local_sentences_is_trained_on_too() -> None:
    method, batch = build(captioned_config()), captioned_batch()
    output = method(replace(batch, local_ids=batch.local_ids[:, :0], present=batch.present[:, :0]))
    torch.testing.assert_close(output.loss.detach(), output.logs["loss_global"] + output.logs["loss_summary"])


def test_texts_are_read_to_the_end_of_the_longest_of_like_length(monkeypatch: pytest.MonkeyPatch) -> None:
    method, batch = build(captioned_config(summary_weight=0, local_weight=0)), captioned_batch()
    torch.manual_seed(1)
    short = torch.randint(0, VOCABULARY - 1, (8, 6))
    short[:4, 1:] = VOCABULARY - 1
    short[4:, -1] = VOCABULARY - 1
    each = F.normalize(method.embed_text(short), dim=-1)
    encode_text, seen = method.model.encode_text, list[tuple[int, ...]]()

    def counted(token_ids: Tensor) -> Tensor:
        seen.append(tuple(token_ids.shape))
        return encode_text(token_ids)

    monkeypatch.setattr(method.model, "encode_text", counted)
    found = method.embeddings(replace(batch, token_ids=short))["global"]
    assert seen == [(2, 2), (2, 2), (2, 6), (2, 6)]
    torch.testing.assert_close(found, each)


@pytest.mark.parametrize("size", [3, 5, 6, 9])
def test_texts_are_read_in_as_many_groups_however_few_they_are(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sharded processes gather weights at each reading, so all must read as often."""
    method, batch = build(captioned_config(summary_weight=0, local_weight=0)), captioned_batch(size)
    each = F.normalize(method.embed_text(batch.token_ids), dim=-1)
    encode_text, lengths = method.model.encode_text, list[int]()

    def counted(token_ids: Tensor) -> Tensor:
        lengths.append(len(token_ids))
        return encode_text(token_ids)

    monkeypatch.setattr(method.model, "encode_text", counted)
    torch.testing.assert_close(method.embeddings(batch)["global"], each)
    assert len(lengths) == LENGTH_GROUPS
    assert min(lengths) > 0


def test_naming_is_the_cross_entropy_of_votes_and_emotions_names() -> None:
    method, batch = build(captioned_config(naming_weight=3.0)), captioned_batch()
    votes = batch.votes.clone()
    votes[1] = 0  # nobody voted
    batch = replace(batch, votes=votes)
    image = F.normalize(method.embed(batch), dim=-1)
    losses = []
    for i in range(len(batch.ids)):
        names = F.normalize(method.embed_text(batch.naming_ids[i]), dim=-1)
        losses.append(-(votes[i] * (SCALE * image[i] @ names.T).log_softmax(dim=0)).sum())
    output, without = method(batch), build(captioned_config())(batch)
    torch.testing.assert_close(output.logs["loss_naming"], torch.stack(losses).mean().detach())
    torch.testing.assert_close(output.loss, without.loss + 3 * torch.stack(losses).mean())
    assert "loss_naming" not in without.logs


def test_naming_without_votes_is_refused() -> None:
    batch = captioned_batch()
    with pytest.raises(MienError, match=r"naming_weight .* no caption of the batch tells votes"):
        build(captioned_config(naming_weight=1.0))(
            replace(batch, naming_ids=batch.naming_ids[:, :0], votes=batch.votes[:, :0])
        )


def test_logs_are_detached_and_name_the_losses() -> None:
    logs = build(captioned_config())(captioned_batch()).logs
    assert not any(value.requires_grad for value in logs.values())
    assert {"loss_global", "loss_summary", "loss_local", "positives", "logit_scale", "alignment"} <= logs.keys()


def test_logit_scale_stays_below_a_hundred() -> None:
    method = build(captioned_config())
    with torch.no_grad():
        method.model.logit_scale.fill_(9.0)
    method.after_step()
    assert float(method.model.logit_scale.detach()) == pytest.approx(MAX_LOGIT_SCALE)


# ── the running mean ─────────────────────────────────────────────────────────────────────────────


def test_deployed_is_the_mean_of_the_weights_and_the_model_before_the_first_step() -> None:
    method = build(captioned_config(ema_decay=0.5))
    assert method.deployed is method.model
    name, values = "vision.projection", []
    weight = method.model.vision.projection
    for value in (1.0, 3.0, 7.0):
        with torch.no_grad():
            weight.fill_(value)
        method.after_step()
        values.append(float(method.deployed.state_dict()[name][0, 0]))
    decays = [2 / 11, 3 / 12]  # (1 + n) / (10 + n), below the one asked for
    second = decays[0] * 1.0 + (1 - decays[0]) * 3.0
    assert values == pytest.approx([1.0, second, decays[1] * second + (1 - decays[1]) * 7.0])
    assert not any(p.requires_grad for p in method.deployed.parameters())


def test_decay_of_the_mean_grows_to_the_one_asked_for() -> None:
    method = build(captioned_config(ema_decay=0.5))
    assert method.averaged is not None
    method.averaged.num_averaged.fill_(1000)
    before = method.averaged.model.vision.projection.clone()  # type: ignore[union-attr,operator]
    with torch.no_grad():
        method.model.vision.projection.add_(2.0)
    method.after_step()
    torch.testing.assert_close(method.deployed.vision.projection, before + 1.0)


def test_what_is_evaluated_is_the_mean() -> None:
    method, batch = build(captioned_config(ema_decay=0.9)), captioned_batch()
    method.after_step()
    embeddings, texts = method.embed(batch), method.embed_text(batch.token_ids)
    with torch.no_grad():
        for parameter in method.model.parameters():
            parameter.add_(0.5)
    assert torch.equal(method.embed(batch), embeddings)
    assert torch.equal(method.embed_text(batch.token_ids), texts)


# ── gradients in parts ───────────────────────────────────────────────────────────────────────────

MINED = {"space": "both", "theta_text": 30.0, "theta_image": 30.0, "warmup_steps": 0}


@pytest.mark.parametrize(
    "changes",
    [{}, {"mining": MINED, "loss_chunk": 3}, {"local_weight": 0, "summary_weight": 0}, {"naming_weight": 2.0}],
)
@pytest.mark.parametrize("micro_batch", [1, 3])
def test_micro_batches_give_loss_and_gradients_of_the_whole(changes: dict[str, object], micro_batch: int) -> None:
    whole, parts = (build(captioned_config(**changes)) for _ in range(2))
    expected = whole(captioned_batch())
    expected.loss.backward()
    found = cached_backward(
        parts, captioned_batch(), micro_batch=micro_batch, device="cpu", autocast=contextlib.nullcontext
    )
    torch.testing.assert_close(found.loss, expected.loss.detach(), rtol=1e-4, atol=0)
    assert_same_gradients(gradients(parts), gradients(whole))
    assert ("pooling.query.weight" in gradients(parts)) == (changes.get("local_weight") != 0)


def backward(folder: Path, micro_batch: int | None) -> None:
    own = distributed.own_rows(8 // distributed.world_size())
    method, part = build(captioned_config(mining=MINED, naming_weight=2.0)), clips_of(captioned_batch(), own)
    if micro_batch is None:
        output = method(part)
        output.loss.backward()
    else:
        output = cached_backward(method, part, micro_batch=micro_batch, device="cpu", autocast=contextlib.nullcontext)
    distributed.average_gradients(method.parameters())
    logs = {name: distributed.mean(value) for name, value in output.logs.items()}
    result = {"loss": distributed.mean(output.loss.detach()), "logs": logs, "gradients": gradients(method)}
    torch.save(result, folder / f"{distributed.rank()}.pt")


@pytest.mark.slow
@pytest.mark.parametrize("micro_batch", [None, 1])
def test_two_processes_equal_one(micro_batch: int | None, tmp_path: Path) -> None:
    start_joined(backward, tmp_path, micro_batch, world_size=2)
    whole = build(captioned_config(mining=MINED, naming_weight=2.0))
    expected = whole(captioned_batch())
    expected.loss.backward()
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert found["loss"] == pytest.approx(float(expected.loss.detach()), rel=1e-5)
        assert found["logs"] == pytest.approx({k: float(v) for k, v in expected.logs.items()}, rel=1e-4, abs=1e-5)
        assert_same_gradients(found["gradients"], gradients(whole))


# ── arithmetic ───────────────────────────────────────────────────────────────────────────────────

STEM = {"image_size": 16, "patch_size": 8, "stem": {"widths": [8, 16, 16], "depths": [1, 2, 1]}}


@pytest.mark.parametrize("stem", [False, True])
@pytest.mark.parametrize("changes", [{}, {"local_weight": 0}, {"summary_weight": 0}, {"naming_weight": 1}])
def test_step_costs_three_times_the_forward_pass_that_torch_counts(changes: dict[str, float], stem: bool) -> None:
    data = captioned_config(**changes).model_dump()
    data["model"]["vision"] |= STEM if stem else {}
    method, batch = EmoCapClipConfig.model_validate(data).build(), captioned_batch()
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        method.embeddings(batch)
    with FlopCounterMode(display=False) as geometry:
        subject_coverage(batch, method.config.model)
    assert method.flops(batch) == 3 * (counter.get_total_flops() - geometry.get_total_flops())
