"""What every page must be: well formed, asking nobody, whatever its body lacks or holds; and how a test reads it."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

Body = dict[str, Any]
Render = Callable[[Body], str]
HOSTILE = '<script src="//evil">alert(1)</script>\'"&{{ 7 * 7 }}\n\x00\x1b[31m'
VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """What a page is made of; it fails on a tag that is closed by another."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def said(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def check_page(render: Render, body: Body) -> Page:
    """Return the page of a body, which is left as it was: well formed, the same each time, and asking nobody."""
    before = copy.deepcopy(body)
    text = render(body)
    assert render(body) == text
    assert body == before
    check_asks_nobody(text)
    page = Page(text)
    check_is_well_formed(page)
    check_pictures(page)
    for word in ("undefined", "NaN", "None", "null"):
        assert word not in page.said.replace("None was", "")
    return page


def check_is_well_formed(page: Page) -> None:
    """No id is given twice, every label is somewhere, and the headings form a tree below the one title."""
    ids = [found["id"] for _, found in page.tags if "id" in found]
    assert len(ids) == len(set(ids))
    assert {found["aria-labelledby"] for _, found in page.tags if "aria-labelledby" in found} <= set(ids)
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def check_pictures(page: Page) -> None:
    """Every picture says what it shows and how to read it."""
    pictures = page.all("svg")
    assert len(page.all("figcaption")) == len(pictures)
    assert all(found["role"] == "img" and len(found["aria-label"] or "") > 30 for found in pictures)


def check_asks_nobody(text: str) -> None:
    """A page fetches nothing and runs nothing."""
    for asked in ("http:", "https:", "src=", "<script", "url(", "@import", "<iframe", "<form", "javascript:"):
        assert asked not in text.lower()
    page = Page(text)
    assert not handlers(page)
    # An empty icon, so that no browser asks for one.
    assert [found["href"] for _, found in page.tags if "href" in found] == ["data:,"]
    assert "default-src 'none'" in text


def handlers(page: Page) -> list[str]:
    """The attributes that would run something."""
    return [name for _, found in page.tags for name in found if name.startswith("on")]


def check_may_lack_anything(render: Render, body: Body) -> None:
    """Whatever a body lacks but its status, its page is written to the end."""
    for path in paths(body):
        if path != ("status",):
            assert render(without(body, path)).endswith("</html>")


def check_draws_no_null(render: Render, body: Body, keys: set[str]) -> Page:
    """Return the page of a body in which these names are null; without values it has no picture."""
    page = Page(render(blanked(body, frozenset(keys))))
    assert "NaN" not in page.said
    assert bool(page.all("svg")) == ("value" not in keys)
    return page


def check_may_hold_anything(render: Render, body: Body) -> None:
    """Whatever stands where something else is expected, the page is written to the end."""
    strange: itertools.cycle[Any] = itertools.cycle((None, "something", 7.5, [], {}, [None], -1e300))
    for path, instead in zip(paths(body), strange, strict=False):
        assert render(without(body, path, instead)).endswith("</html>")
        assert render(without(body, path, None)).endswith("</html>")


def check_runs_nothing(render: Render, body: Body, harmless: Body) -> None:
    """A body that holds HOSTILE is shown with the tags of a harmless one."""
    text = render(body)
    page = Page(text)
    assert not page.all("script")
    assert "&lt;script" in text
    assert not handlers(page)
    assert {tag for tag, _ in page.tags} == {tag for tag, _ in Page(render(harmless)).tags}


def paths(value: Any, before: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place of a body; of a list only the first."""
    places: list[str | int] = (
        list(value) if isinstance(value, dict) else [0] if isinstance(value, list) and value else []
    )
    for place in places:
        yield (*before, place)
        yield from paths(value[place], (*before, place))


def without(body: Body, path: tuple[str | int, ...], instead: Any = ...) -> Body:
    """The body with one place taken out, or with something else in it."""
    changed = copy.deepcopy(body)
    inner: Any = changed
    for place in path[:-1]:
        inner = inner[place]
    if instead is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = instead
    return changed


def blanked(value: Any, keys: frozenset[str]) -> Any:
    """The same shape with nothing under these names."""
    if isinstance(value, dict):
        return {name: None if name in keys else blanked(inner, keys) for name, inner in value.items()}
    return [blanked(inner, keys) for inner in value] if isinstance(value, list) else value
