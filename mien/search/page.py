"""The page of a search: its hits with pictures of each, in one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import shlex
from html import escape
from pathlib import Path
from string import Template

import cv2
import numpy as np
import simplejpeg

from mien.data.store import Store
from mien.inspect.cards import clock, frame, shape_of
from mien.inspect.page import STYLE
from mien.inspect.strips import JPEG_QUALITY, read_strip
from mien.perception.face_crop import face_square
from mien.search.index import Row, SearchSettings
from mien.search.search import Found, Hit
from mien.types import MienError
from mien.whole_file import write_whole

TEMPLATE = Path(__file__).with_name("search.html")
PICTURES = 4
PICTURE_AREA = 38_400
FACE_SIDE = 264
"""Pixels of a cut-out face: twice as many as it is shown with, for fine screens."""


def write_page(out: Path, store: Store, found: Found, *, settings: SearchSettings) -> None:
    """Writes the page; it appears whole or not at all.

    A hit whose pictures cannot be read any more is on it without them, with the reason.
    """
    body = [_head(store, found, settings)]
    body += [_card(number, hit, store, settings) for number, hit in enumerate(found.hits, start=1)]
    page = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(f"{found.asked}: moments of {store.path.resolve().name}"),
        style=STYLE.read_text(encoding="utf-8"),
        body="\n".join(body),
    )
    write_whole(out, page)


def _head(store: Store, found: Found, settings: SearchSettings) -> str:
    what = "stretches of persons’ faces" if settings.kind == "faces" else "stretches"
    failed = "".join(f"<li>{escape(each.what)}: {escape(each.reason)}</li>" for each in found.failed)
    nothing = "" if found.hits else '<p class="soft">Nothing is there to be found.</p>'
    return (
        f'<h1 dir="auto">{escape(found.asked)}</h1><p class="soft path">{escape(str(store.path))}</p>'
        f"<p>The nearest of {found.num_moments:,} {what} of about {settings.window_s:g} s, in "
        f"{found.num_videos:,} video{'' if found.num_videos == 1 else 's'}. Nearness is the cosine of embeddings; the "
        f"median of all is {found.median_cosine:.3f}, and a hit that "
        "is hardly above it means little. Something is always nearest, whether or not it fits.</p>"
        '<p class="soft">What is found is <em>apparent</em>: what a model, or an onlooker, might say is shown, not '
        "what anyone feels. Not for decisions about people at work, in education, policing, hiring or health.</p>"
        + (f'<p class="notice">Not searched, as they cannot be read:</p><ul>{failed}</ul>' if failed else "")
        + nothing
    )


def _card(number: int, hit: Hit, store: Store, settings: SearchSettings) -> str:
    moment = hit.moment
    person = f"<span>person {moment.person}</span>" if moment.person >= 0 else ""
    said = f'<p class="said" dir="auto">{escape(hit.said)}</p>' if hit.said else ""
    option = " --faces" if settings.kind == "faces" else " --model …"
    name = shlex.quote(f"{moment.video}@{moment.seen_s:.2f}")
    like = f"mien search {shlex.quote(str(store.path))} --like {name}{option}"
    return (
        f'<article class="clip" id="hit-{number}"><header><h3 dir="auto"><b>{number}</b>{escape(moment.video)}</h3>'
        f"<span>{clock(moment.start_s)} – {clock(moment.end_s)}</span>{person}"
        f'<span class="cosine"><span class="bar"><i style="width:{100 * max(0.0, moment.cosine):.1f}%"></i></span>'
        f"{moment.cosine:.3f}</span></header>{said}{_pictures(moment, store)}"
        f'<p class="more soft">More like this: <code>{escape(like)}</code></p></article>'
    )


def _pictures(moment: Row, store: Store) -> str:
    try:
        clip = store.clip(moment.video, start_s=moment.start_s, end_s=moment.end_s)
        strip = read_strip(store, clip, count=PICTURES, area=PICTURE_AREA)
        face = _face(moment, store) if any(moment.xyxy) else ""
    except MienError as error:
        return f'<p class="soft">{escape(str(error))}</p>'
    pictures = "".join(frame(picture, strip) for picture in strip.pictures)
    return (
        f'<div class="hit{" with-face" if face else ""}">{face}<ol class="strip {shape_of(strip)}" aria-label="frames">'
        f"{pictures}</ol></div>"
    )


def _face(moment: Row, store: Store) -> str:
    """The face, in colour and with twice its square's surroundings' worth of pixels where there are as many."""
    reader = store.frames(moment.video)
    info = reader.info
    rgb = reader.decode(min(round(moment.seen_s * info.fps), len(reader) - 1))
    square = face_square(np.array(moment.xyxy) * np.array(info.stored_per_source * 2))
    x0, y0, x1, y1 = np.round(square).astype(int).clip(0, [rgb.shape[1], rgb.shape[0]] * 2)
    cut = cv2.resize(
        rgb[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)], (FACE_SIDE, FACE_SIDE), interpolation=cv2.INTER_CUBIC
    )
    jpeg = simplejpeg.encode_jpeg(np.ascontiguousarray(cut), quality=JPEG_QUALITY, colorsubsampling="420")
    return (
        f'<img class="face-cut" alt="the face at {clock(moment.seen_s)}" '
        f'src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode("ascii")}">'
    )
