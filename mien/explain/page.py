"""The page of explanations: scores, hidden parts, heat maps and attention, in one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

import numpy as np

from mien.eval.pictures import AttentionPicture, Still, draw_attention, draw_still
from mien.explain.explanation import Explanation, HeatMap, TokenAttention, log_odds, share_on
from mien.inspect.cards import clock
from mien.inspect.page import STYLE
from mien.media.sampling import evenly
from mien.whole_file import write_whole

TEMPLATE = Path(__file__).with_name("explain.html")
FRAMES_SHOWN = 4
"""Frames of a clip whose attention is drawn."""
SIDE = 152
"""Pixels of a picture's side on the page, drawn twice as large for fine screens where it is looked into."""
NOTHING = np.zeros((0, 4), np.float32)
TOKENS = {
    "hmn": "It stands for the subject, and is told where that is. In the last layer nothing reads it.",
    "[cls]": "It is what the picture’s embedding is read from.",
}
FILLS = {"mean": "mean colour", "blur": "blurred"}


def write_explanations(out: Path, explanations: Sequence[Explanation], *, model: str, templates: Sequence[str]) -> None:
    """Writes the page; it appears whole or not at all."""
    body = [_head(explanations, model=model, templates=templates), *(_section(each) for each in explanations)]
    page = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(f"{explanations[0].title}, explained"),
        style=STYLE.read_text(encoding="utf-8"),
        body="\n".join(body),
    )
    write_whole(out, page)


def _head(explanations: Sequence[Explanation], *, model: str, templates: Sequence[str]) -> str:
    prompts = ", ".join(f"“{escape(template)}”" for template in templates)
    return (
        f'<h1 dir="auto">{escape(explanations[0].title.split(", face ")[0])}</h1><p class="soft path">model '
        f"{escape(model)}; each word put into {prompts}</p>"
        "<p>What the model says of the whole, and what it says when a part of the picture is hidden: what then falls, "
        "the part had spoken for. <b>These are facts about the model, not about the person.</b> A hidden part is itself a "
        "strange picture, so each is hidden in two ways; where the two disagree, neither is to be trusted. Large parts "
        "change more than small ones whatever they show: their share of the picture stands beside them.</p>"
        '<p class="soft">Scores are <em>apparent</em> emotion: what an onlooker might say is shown, not what anyone '
        "feels. Not for decisions about people at work, in education, policing, hiring or health.</p>"
    )


def _section(explanation: Explanation) -> str:
    is_moment = explanation.end_s > explanation.start_s
    when = f"{clock(explanation.start_s)} – {clock(explanation.end_s)}" if is_moment else clock(explanation.start_s)
    notes = "".join(f'<p class="soft">Not hidden: {escape(note)}.</p>' for note in explanation.notes)
    attention = "".join(_attention(explanation, each) for each in explanation.attention)
    return (
        f'<article class="clip"><h2 dir="auto">{escape(explanation.title)}</h2><header><span>{when}</span><span>'
        f"{len(explanation.frames)} frame{'' if len(explanation.frames) == 1 else 's'}</span></header>"
        f"{_changes(explanation)}{notes}{_heat(explanation)}{attention}</article>"
    )


# ── what is hidden ───────────────────────────────────────────────────────────────────────────────


def _changes(explanation: Explanation) -> str:
    middle = len(explanation.frames) // 2
    whole = Still(frame=explanation.frames[middle], boxes=explanation.boxes[middle])
    top = explanation.top_word
    words = "".join(f"<th{' class=top' if w == top else ''}>{escape(w)}</th>" for w in explanation.scores)
    rows = [_row(whole, "as it is", "", explanation.scores, top=top, before=None)]
    if explanation.unmarked is not None:
        plain = Still(frame=whole.frame, boxes=NOTHING)
        rows.append(_row(plain, "nobody pointed out", "same pixels", explanation.unmarked, top=top, before=explanation.scores))
    rows += [
        _row(
            Still(frame=each.picture, boxes=NOTHING),
            f"without {each.part}",
            f"{FILLS[each.fill]}; {each.share:.0%} of the picture",
            each.scores,
            top=top,
            before=explanation.scores,
        )
        for each in explanation.masked
    ]
    return (
        "<h3>With a part hidden</h3><p>Probabilities of the words in per cent, and by how many points they change. Of the "
        f"likeliest, {escape(top)}, also the <b>log-odds</b>, its probability over that of all others: 0 is even, 2.3 ten "
        "to one, 6.9 a thousand to one. Where a word is nearly certain, only they tell what a part contributes.</p>"
        '<div class="wide"><table class="changes"><thead><tr><th></th><th></th>'
        f"<th class=top>log-odds<br>{escape(top)}</th>{words}</tr></thead>"
        f'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _row(still: Still, name: str, about: str, scores: dict[str, float], *, top: str, before: dict[str, float] | None) -> str:
    odds = log_odds(scores, top)
    change = "" if before is None else _delta(odds - log_odds(before, top), digits=1)
    cells = "".join(
        f"<td>{100 * p:.0f}{'' if before is None else _delta(100 * (p - before[word]), digits=0)}</td>" for word, p in scores.items()
    )
    return (
        f"<tr{' class=whole' if before is None else ''}>"
        f'<td><img alt="{escape(name)}" src="{draw_still(still, side=SIDE)}"></td>'
        f'<th scope="row"><span class="name">{escape(name)}</span><br><small>{escape(about)}</small></th>'
        f"<td>{odds:.1f}{change}</td>{cells}</tr>"
    )


def _delta(change: float, *, digits: int) -> str:
    """A change with its sign; a dot where it rounds to nothing."""
    if round(abs(change), digits) == 0:
        return '<span class="delta">·</span>'
    kind, sign = ("less", "−") if change < 0 else ("more", "+")
    return f'<span class="delta {kind}">{sign}{abs(change):.{digits}f}</span>'


# ── where it matters ─────────────────────────────────────────────────────────────────────────────


def _heat(explanation: Explanation) -> str:
    found = explanation.heat_map
    middle = len(explanation.frames) // 2
    picture = draw_still(Still(frame=explanation.frames[middle], boxes=NOTHING), side=2 * SIDE)
    row, column = np.unravel_index(found.drop.argmax(), found.drop.shape)
    each = "in all frames at once, " if len(explanation.frames) > 1 else ""
    return (
        f"<h3>Where “{escape(found.word)}” comes from</h3><div class=two><figure class=map>"
        f'<img alt="the middle frame" src="{picture}">{_cells(found)}</figure><div><p>Each square hidden alone, {each}by '
        f"the mean colour. Red: the log-odds of {escape(found.word)}, "
        f"{log_odds(explanation.scores, found.word):.1f} for the whole, fall; blue: they rise. The strongest colour is a "
        f"change of {np.abs(found.drop).max():.2f}; the largest fall is {found.drop.max():.2f}, in row {row + 1}, column "
        f"{column + 1}. Point at a square for its number.</p>"
        '<p class="soft">A square may matter little because others show the same, and strange squares may matter by '
        "their strangeness.</p></div></div>"
    )


def _cells(found: HeatMap) -> str:
    rows, columns = found.drop.shape
    most = max(float(np.abs(found.drop).max()), 1e-9)
    cells = "".join(
        f'<rect x="{j}" y="{i}" width="1" height="1" fill="{"#ff2d1a" if drop > 0 else "#1f6bff"}" '
        f'fill-opacity="{0.85 * abs(drop) / most:.3f}"><title>{-drop:+.2f}</title></rect>'
        for i, row in enumerate(found.drop.tolist())
        for j, drop in enumerate(row)
    )
    return (
        f'<svg viewBox="0 0 {columns} {rows}" preserveAspectRatio="none" role="img" '
        f'aria-label="change of the log-odds of {escape(found.word)} by square">{cells}</svg>'
    )


# ── where tokens look ────────────────────────────────────────────────────────────────────────────


def _attention(explanation: Explanation, attention: TokenAttention) -> str:
    shown = np.unique(evenly(len(explanation.frames), count=min(FRAMES_SHOWN, len(explanation.frames))))
    rows = "".join(_attention_row(explanation, attention, int(t)) for t in shown)
    return (
        f"<h3>Where <code>{attention.token}</code> looks</h3><p>{TOKENS[attention.token]} Its attention over the frame, "
        'layer by layer, mean over heads. Colours run <span class="scale" aria-hidden="true"></span> from 0 to the largest '
        "weight in the row. Attention says where information is taken from, not what it does: the numbers above do.</p>"
        f"{rows}{_shares(explanation, attention)}"
    )


def _attention_row(explanation: Explanation, attention: TokenAttention, t: int) -> str:
    still = Still(frame=explanation.frames[t], boxes=explanation.boxes[t])
    drawn = draw_attention(AttentionPicture(still=still, attention=attention.weights[:, t], caption=""), side=SIDE)
    pictures = [("frame", draw_still(still, side=SIDE)), *((f"layer {k}", uri) for k, uri in enumerate(drawn, start=1))]
    cells = "".join(f'<div><img alt="{name}" src="{uri}"><span>{name}</span></div>' for name, uri in pictures)
    widths = f"grid-template-columns:repeat({len(pictures)},minmax(64px,{SIDE}px))"
    return f'<div class="wide"><div class="rows" style="{widths}">{cells}</div></div>'


def _shares(explanation: Explanation, attention: TokenAttention) -> str:
    """A table: of the attention to patches, how much falls on each part, beside how large the part is."""
    layers = range(1, len(attention.weights) + 1)
    on_patches = attention.weights.sum(axis=(2, 3)).mean(axis=1)
    head = "".join(f"<th>layer {k}</th>" for k in layers)
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{part.mean():.0%}</td>"
        + "".join(f"<td>{share:.0%}</td>" for share in share_on(attention, part))
        + "</tr>"
        for name, part in explanation.parts.items()
    )
    patches = "".join(f"<td>{share:.0%}</td>" for share in on_patches)
    return (
        '<div class="wide"><table class="shares"><caption>Of its attention to the picture, over all frames, the share '
        "on each part; if it were spread evenly, that would be the part’s share of the pixels. Last line: how much of its "
        "attention the picture gets at all, rather than other tokens.</caption>"
        f"<thead><tr><th></th><th>pixels</th>{head}</tr></thead>"
        f"<tbody>{rows}<tr><th>the picture</th><td></td>{patches}</tr></tbody></table></div>"
    )
