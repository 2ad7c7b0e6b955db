"""An inspected store: texts that try a page, and the outline of the page."""

from __future__ import annotations

from html.parser import HTMLParser

from mien.data.store import Store
from mien.types import Clip

EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"> & 'so'"
EVIL_WORD = "<b>&"
"""Short enough for models that read few tokens."""
TEXTS = (EVIL, "مرحبا كيف حالك", "Ça va être très drôle", "plain words")


def odd_clips(store: Store) -> list[Clip]:
    """The store's clips, with texts that try a page: one an emotion, in turn."""
    return [
        Clip(
            id=c.id, video=c.video, start_frame=c.start_frame, end_frame=c.end_frame, start_s=c.start_s,
            end_s=c.end_s + i / 10, text=TEXTS[i % len(TEXTS)], person_share=c.person_share,
            sentiment_logits=tuple(4.0 * (e == i % 7) for e in range(7)),
        )
        for i, c in enumerate(store.clips())
    ]  # fmt: skip


class Outline(HTMLParser):
    """Checks that tags close in order, and collects ids, labels, cards, texts and what a browser would fetch."""

    VOID = ("meta", "img", "br", "input")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        if "script" not in self.open and "style" not in self.open:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def cards(self) -> list[dict[str, str]]:
        return self.all("article")
