"""The page of explanations: scores, hidden parts, heat maps and attention, in one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
"""Pixels of a picture's side; the one with the heat map is twice as large."""
NOTHING = np.zeros((0, 4), np.float32)
FILLS = {"mean": "mean colour", "blur": "blurred"}
TOKENS = {
    "hmn": "It stands for the subject, and is told where that is. In the last layer nothing reads it.",
    "[cls]": "It is what the picture’s embedding is read from.",
}

ABOUT = """<p>What the model says of the whole, and what it says when a part of the picture is hidden: what then
falls, the part had spoken for. <b>These are facts about the model, not about the person.</b> Scores are
<em>apparent</em> emotion: what an onlooker might say is shown, not what anyone feels. Not for decisions
about people at work, in education, policing, hiring or health.</p>
<ul><li><b>With a part hidden</b>: probabilities of the words in per cent, and by how many points they change. Of
the likeliest word also the <b>log-odds</b>, its probability over that of all others: 0 is even, 2.3 ten to one, 6.9
a thousand to one; where a word is nearly certain, only they tell what a part contributes. A hidden part is itself a
strange picture, so each is hidden in two ways; where the two disagree, trust neither. Large parts change more than
small ones whatever they show: their share of the picture stands beside them.</li>
<li><b>Where a word comes from</b>: each square hidden alone, by the mean colour. A square may matter little because
others show the same, and a strange square may matter by its strangeness.</li>
<li><b>Where tokens look</b>: attention over the frame, layer by layer, mean over heads; colours run <span
class="scale" aria-hidden="true"></span> from 0 to the largest weight in the row. In the tables, attention to the
picture by part; spread evenly, it would be the part’s share of the pixels. Their last line: how much of its
attention the picture gets at all, rather than other tokens. Attention says where information is taken from, not
what it does: hiding does.</li></ul>"""


def write_explanations(out: Path, explanations: Sequence[Explanation], *, model: str, templates: Sequence[str]) -> None:
    """Writes the page; it appears whole or not at all."""
    title = explanations[0].file
    prompts = ", ".join(f"“{escape(template)}”" for template in templates)
    head = (
        f'<h1 dir="auto">{escape(title)}</h1>'
        f'<p class="soft path">Model <code>{escape(model)}</code>; each word put into {prompts}.</p>{ABOUT}'
    )
    page = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(f"{title}, explained"),
        style=STYLE.read_text(encoding="utf-8"),
        body="\n".join([head, *map(_section, explanations)]),
    )
    write_whole(out, page)


def _section(explanation: Explanation) -> str:
    is_moment = explanation.end_s > explanation.start_s
    when = f"{clock(explanation.start_s)} – {clock(explanation.end_s)}" if is_moment else clock(explanation.start_s)
    count = len(explanation.frames)
    notes = "".join(f'<p class="soft">Not hidden: {escape(note)}.</p>' for note in explanation.notes)
    attention = "".join(_attention(explanation, each) for each in explanation.attention)
    return (
        f'<article class="clip"><h2 dir="auto">{escape(explanation.title)}</h2><header><span>{when}</span>'
        f"<span>{count} frame{'' if count == 1 else 's'}</span></header>"
        f"{_changes(explanation)}{notes}{_heat(explanation)}{attention}</article>"
    )


# ── what is hidden ───────────────────────────────────────────────────────────────────────────────


def _changes(explanation: Explanation) -> str:
    """A table: a row for each way of hiding something, with what the model then sees and says."""
    whole, top = _middle(explanation), explanation.top_word
    rows = [_row(whole, "as it is", "", explanation.scores, explanation)]
    if explanation.unmarked is not None:
        plain = Still(frame=whole.frame, boxes=NOTHING)
        rows.append(_row(plain, "nobody pointed out", "same pixels", explanation.unmarked, explanation))
    for each in explanation.masked:
        about = f"{FILLS[each.fill]}; {each.share:.0%} of the picture"
        rows.append(
            _row(Still(frame=each.picture, boxes=NOTHING), f"without {each.part}", about, each.scores, explanation)
        )
    words = "".join(f"<th{' class=top' if w == top else ''}>{escape(w)}</th>" for w in explanation.scores)
    return (
        f'<h3>With a part hidden</h3><div class="wide"><table class="changes"><thead><tr><th></th><th></th>'
        f"<th class=top>log-odds,<br>{escape(top)}</th>{words}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _row(still: Still, name: str, about: str, scores: Mapping[str, float], explanation: Explanation) -> str:
    before, top = explanation.scores, explanation.top_word
    is_whole = scores is before
    odds = log_odds(scores, top)
    change = "" if is_whole else _delta(odds - log_odds(before, top), digits=1)
    cells = "".join(
        f"<td>{100 * p:.0f}{'' if is_whole else _delta(100 * (p - before[word]), digits=0)}</td>"
        for word, p in scores.items()
    )
    return (
        f"<tr{' class=whole' if is_whole else ''}>"
        f'<td><img alt="{escape(name)}" src="{draw_still(still, side=SIDE)}"></td>'
        f'<th scope="row"><span class="name">{escape(name)}</span><br><small>{escape(about)}</small></th>'
        f"<td>{_number(odds)}{change}</td>{cells}</tr>"
    )


def _delta(change: float, *, digits: int) -> str:
    """A change with its sign; a dot where it rounds to nothing."""
    if round(abs(change), digits) == 0:
        return '<span class="delta">·</span>'
    kind, sign = ("less", "−") if change < 0 else ("more", "+")
    return f'<span class="delta {kind}">{sign}{abs(change):.{digits}f}</span>'


def _number(odds: float) -> str:
    return f"{odds:.1f}".replace("-", "−")


def _middle(explanation: Explanation) -> Still:
    middle = len(explanation.frames) // 2
    return Still(frame=explanation.frames[middle], boxes=explanation.boxes[middle])


# ── where it matters ─────────────────────────────────────────────────────────────────────────────


def _heat(explanation: Explanation) -> str:
    found = explanation.heat_map
    picture = draw_still(Still(frame=_middle(explanation).frame, boxes=NOTHING), side=2 * SIDE)
    row, column = np.unravel_index(found.drop.argmax(), found.drop.shape)
    word, odds = escape(found.word), log_odds(explanation.scores, found.word)
    frames = " in all frames at once" if len(explanation.frames) > 1 else ""
    return (
        f"<h3>Where “{word}” comes from</h3><div class=two><figure class=map>"
        f'<img alt="the middle frame" src="{picture}">{_cells(found)}</figure><div>'
        f"<p>Red: the log-odds of {word}, {_number(odds)} for the whole, fall when the square is hidden{frames}; blue: "
        f"they rise. The strongest colour is a change of {np.abs(found.drop).max():.2f}; the largest fall is "
        f"{found.drop.max():.2f}, in row {row + 1}, column {column + 1}. Point at a square for its number.</p>"
        "</div></div>"
    )


def _cells(found: HeatMap) -> str:
    rows, columns = found.drop.shape
    most = max(float(np.abs(found.drop).max()), np.finfo(np.float32).tiny)
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
    count = len(explanation.frames)
    shown = np.unique(evenly(count, count=min(FRAMES_SHOWN, count)))
    rows = "".join(_attention_row(explanation, attention, int(t)) for t in shown)
    return (
        f"<h3>Where <code>{attention.token}</code> looks</h3><p>{TOKENS[attention.token]}</p>"
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
    head = "".join(f"<th>layer {k}</th>" for k in range(1, len(attention.weights) + 1))
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{part.mean():.0%}</td>{_per_cent(share_on(attention, part))}</tr>"
        for name, part in explanation.parts.items()
    )
    on_picture = _per_cent(attention.weights.sum(axis=(2, 3)).mean(axis=1))
    return (
        f'<div class="wide"><table class="shares"><thead><tr><th></th><th>pixels</th>'
        f"{head}</tr></thead><tbody>{rows}<tr><th>the picture</th><td></td>{on_picture}</tr></tbody></table></div>"
    )


def _per_cent(shares: np.ndarray) -> str:
    return "".join(f"<td>{share:.0%}</td>" for share in shares)
