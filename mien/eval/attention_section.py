"""Where tokens look: the part of a report that draws attention over frames, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from mien.eval.pictures import AttentionPicture, draw_attention, draw_still, share_on_subject, subject_coverage

SCALE = '<span class="scale" aria-hidden="true"></span>'


def attention_section(pictures: Sequence[AttentionPicture]) -> str:
    """The pictures of the subject token, or of `[cls]` and the patches where a model has none."""
    intro = _OF_SUBJECT if pictures[0].token == "hmn" else _OF_PATCHES
    count = len({picture.token for picture in pictures})  # of each frame; they come frame by frame
    figures = (pictures[i : i + count] for i in range(0, len(pictures), count))
    return intro + "".join(_figure(own[0].caption, own) for own in figures)


_OF_SUBJECT = (
    "<h2>Where the subject token looks</h2><p>The attention of the <em>hmn</em> token over the frame, mean over "
    "heads, layer by layer (after EmotionCLIP, figure 5). Under each layer stands how much of its attention to "
    "the patches lies on the subject; compare it with the subject’s share of the picture, which is what "
    f"looking evenly would give. Colours run {SCALE} from 0 to the largest "
    "weight in any layer of the same row; rows are not comparable by colour.</p>"
)
_OF_PATCHES = (
    "<h2>What is attended to</h2><p>In the last layers, mean over heads: what <em>[cls]</em> attends to, from which "
    "scene and person are fused in training, and what the <em>patches</em> attend to on the mean, of which the "
    "picture’s embedding is made. Where people were found, the share of the attention that lies on them stands "
    f"below; boxes show them. Colours run {SCALE} from 0 to the largest weight of a frame and token in any layer, and "
    "are comparable only there. An even colour is what looking everywhere alike gives.</p>"
)


def _figure(caption: str, pictures: Sequence[AttentionPicture]) -> str:
    """A frame, and what its tokens attend to, beside each other."""
    area = float(subject_coverage(pictures[0]).mean())
    told = "nobody found" if not area else f"subject:<br>{'all' if area == 1 else f'{area:.0%}'} of the frame"
    frame = f'<div><img alt="the frame" src="{draw_still(pictures[0].still, side=144)}"><span>{told}</span></div>'
    cells = [frame, *(cell for picture in pictures for cell in _cells(picture, has_subject=0 < area < 1))]
    return (
        f'<figure class="sample"><figcaption>{escape(caption)}</figcaption><div class="wide"><div class="layers" '
        f'style="grid-template-columns:repeat({len(cells)},minmax(76px,150px))">{"".join(cells)}</div></div></figure>'
    )


def _cells(picture: AttentionPicture, *, has_subject: bool) -> list[str]:
    token = "" if picture.token == "hmn" else f"{escape(picture.token)}, "
    cells = []
    drawn = zip(draw_attention(picture, side=144), share_on_subject(picture), strict=True)
    for layer, (uri, share) in enumerate(drawn, start=picture.first_layer):
        told = f"{token}layer {layer}" + (f"<br>{share:.0%} on subject" if has_subject else "")
        cells.append(f'<div><img alt="attention in layer {layer}" src="{uri}"><span>{told}</span></div>')
    return cells
