"""Items of a finished Apify run, fetched from its dataset page by page."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from groundswell.errors import GroundswellError
from groundswell.sources.containers.json_text import BrokenJsonError, parsed

if TYPE_CHECKING:
    import httpx

#: Items asked for at once.
PAGE = 1_000
#: Beyond these the answer is not one that a scraper's run gives.
MOST_PAGE_BYTES = 256 * 2**20
MOST_ITEMS = 5_000_000
_SECONDS = 30.0
_CONNECT_SECONDS = 10.0
_MOST_SECONDS = 900.0
_DATASET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_~.-]{0,127}")
#: How many items there are in all; `clean` leaves empty ones out, so a page may be shorter than was asked for.
_TOTAL = "x-apify-pagination-total"


class ApifyError(GroundswellError):
    """The items of a run could not be fetched, so nothing of them was stored; the call may be repeated."""

    hint = (
        "Check GROUNDSWELL_APIFY_TOKEN and GROUNDSWELL_APIFY_URL, and that the dataset is still there; then repeat it."
    )
    http_status = 502


@dataclasses.dataclass(frozen=True, slots=True)
class Apify:
    """Where Apify's API is, and the token it knows us by, which is never shown."""

    url: str
    token: str = dataclasses.field(default="", repr=False)

    def items(self, dataset: str) -> Iterator[list[Any]]:
        """Yield the items of a dataset, a page at a time, in order; raises ApifyError."""
        import httpx

        if not _DATASET.fullmatch(dataset):
            raise ApifyError("The call names no dataset that there can be.", "Send `resource.defaultDatasetId`.")
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        timeout = httpx.Timeout(_SECONDS, connect=_CONNECT_SECONDS)
        try:
            with httpx.Client(base_url=self.url, headers=headers, timeout=timeout) as client:
                yield from _pages(client, f"/v2/datasets/{dataset}/items")
        except httpx.HTTPError as error:
            raise ApifyError(f"The items could not be fetched: {type(error).__name__}.") from None


def _pages(client: httpx.Client, path: str) -> Iterator[list[Any]]:
    end = time.monotonic() + _MOST_SECONDS
    for offset in range(0, MOST_ITEMS, PAGE):
        page, total = _page(client, path, offset, end)
        if page:
            yield page
        # What gives more than it was asked for does not know pages, and would give the same again.
        if len(page) > PAGE or (len(page) < PAGE if total is None else offset + PAGE >= total):
            return
    raise ApifyError(
        f"The dataset has more than {MOST_ITEMS:,} items.", "Ingest an export of it: `groundswell ingest`."
    )


def _page(client: httpx.Client, path: str, offset: int, end: float) -> tuple[list[Any], int | None]:
    """Return the items from `offset` on, and how many there are in all, where that is said."""
    query: dict[str, str | int] = {"format": "json", "clean": "true", "offset": offset, "limit": PAGE}
    with client.stream("GET", path, params=query) as response:
        if response.status_code != 200:
            raise ApifyError(f"The items could not be fetched: Apify answered {response.status_code}.")
        content = bytearray()
        for part in response.iter_bytes():
            content += part
            if len(content) > MOST_PAGE_BYTES or time.monotonic() > end:
                raise ApifyError("The items could not be fetched: there were too many bytes, or they came too slowly.")
        said = response.headers.get(_TOTAL, "")
    try:
        page = parsed(bytes(content))
    except BrokenJsonError:
        page = None
    if not isinstance(page, list):
        raise ApifyError("The items could not be fetched: the answer is no JSON array.")
    return page, int(said) if said.isascii() and said.isdigit() else None
