"""The pages in a real browser: in each state, dark and on a phone, asking nobody else, with nothing in the console."""

from __future__ import annotations

import json
import os
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Visitor, serving, visiting
from tests.browser.lived import settings_of

PLACES = ("/", "/try", "/lines", "/models", "/audits", "/runs", "/data")
TYPED = (
    "/try?window=publish&platform=tiktok&author=creator00003&authorFollowers=12000&durationSeconds=24&postedAt="
    "&description=how+to+fold+a+paper+crane+%23diy"
)
PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
LARGEST = 150_000
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "device_scale_factor": 2, "has_touch": True}


@pytest.fixture
def visitor(browser: Browser, lived_service: str) -> Iterator[Visitor]:
    with visiting(browser, lived_service) as found:
        yield found


@pytest.fixture
def newcomer(browser: Browser, empty_service: str) -> Iterator[Visitor]:
    with visiting(browser, empty_service) as found:
        yield found


def twin(address: str, path: str) -> dict[str, Any]:
    with urllib.request.urlopen(address + path) as answer:
        body: dict[str, Any] = json.load(answer)
    return body


def newest_run(address: str, query: str) -> str:
    return str(twin(address, f"/api/runs?limit=1&{query}")["runs"][0]["runId"])


def details(address: str) -> tuple[str, ...]:
    """Every kind of page that shows one thing."""
    audit, failed = newest_run(address, "kind=audit"), newest_run(address, "status=failed")
    retrain, refused = newest_run(address, "kind=retrain"), newest_run(address, "kind=ingest")
    return (
        TYPED,
        "/lines/publish",
        "/lines/observed",
        "/lines/6h",
        "/lines/observed/rollback",
        "/models/1",
        "/models/2",
        "/models/1/promote",
        "/models/3/promote",
        f"/audits/{audit}",
        *(f"/runs/{run}" for run in (audit, failed, retrain, refused)),
        "/runs?kind=audit&limit=2&offset=2",
        "/runs?status=running",
        "/models?window=observed&limit=1",
    )


def check_made_well(page: Page) -> None:
    """What every page has: one heading, landmarks, labels, and a name for whatever is drawn."""
    assert page.locator("h1").count() == 1
    for landmark in ("main", "nav[aria-label=Pages]", "footer"):
        assert page.locator(landmark).count() == 1
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("[style], style, script, [onclick]").count() == 0
    assert page.locator("svg:not([aria-label])").count() == 0
    assert page.locator("figure svg").count() == page.locator("figure figcaption").count()
    assert page.locator("table:not(:has(caption)), th:not([scope])").count() == 0
    unlabelled = "input:not([type=hidden]), select, textarea"
    for field in page.locator(unlabelled).all():
        name = field.get_attribute("id")
        assert name
        assert page.locator(f"label[for={name}]").count() == 1
    ids = page.eval_on_selector_all("[id]", "found => found.map(one => one.id)")
    assert len(ids) == len(set(ids))
    said = page.locator("body").inner_text()
    for word in ("undefined", "NaN", "None", "null", "{{", "Traceback"):
        assert word not in said, word


def test_every_place_in_a_service_that_has_lived(visitor: Visitor) -> None:
    for path in (*PLACES, *details(visitor.address)):
        page = visitor.open(path)
        check_made_well(page)
        place = "/" + path.split("?")[0].split("/")[1]
        assert page.locator(f"nav a[aria-current][href='{place}']").count() == 1, path


def test_every_place_in_an_empty_service_says_what_to_do(newcomer: Visitor) -> None:
    said = {
        "/": "groundswell ingest PATH",
        "/try": "groundswell retrain --window publish",
        "/lines": "No champion yet",
        "/lines/publish": "groundswell retrain --window publish",
        "/models": "No version yet",
        "/audits": "No audit yet",
        "/runs": "Nothing has run yet",
        "/data": "No video is stored yet",
    }
    for path, words in said.items():
        page = newcomer.open(path)
        check_made_well(page)
        assert words in page.locator("main").inner_text(), path


def test_what_is_not_there_and_what_cannot_be_done_are_pages_too(visitor: Visitor) -> None:
    for path, status in (
        ("/models/77", 404),
        ("/runs/nobody", 404),
        ("/audits/00000000-0000-4000-8000-00000000ffff", 404),
        ("/lines/publish/rollback", 409),
        ("/lines/tomorrow", 422),
        ("/runs?offset=1000000", 400),
        ("/nowhere", 404),
    ):
        page = visitor.open(path, status)
        check_made_well(page)
        assert page.get_by_role("link", name="Back to Today").count() == 1, path


def test_a_database_that_is_away_is_said_without_its_name(browser: Browser) -> None:
    settings = settings_of(Path("/nowhere"), database_url="postgresql://ann:secret@127.0.0.1:9/app")
    with serving(settings) as address, visiting(browser, address) as found:
        page = found.open("/", 503)
        said = page.locator("body").inner_text()
        assert "The database is away" in said
        assert "secret" not in said
        assert "127.0.0.1:9" not in said


def test_today_says_what_needs_a_human(visitor: Visitor) -> None:
    page = visitor.open("/")
    said = page.locator("main").inner_text()
    assert "The last harvest failed" in said
    assert "No key is set" in said
    page.get_by_role("link", name="The last harvest failed").click()
    assert "connection refused" in page.locator("main").inner_text()
    assert page.get_by_text("Reading the videos of 400 predictions").count() == 1


def test_a_planned_video_is_predicted_and_the_form_keeps_what_was_typed(visitor: Visitor) -> None:
    page = visitor.open("/try")
    page.get_by_label("Creator").fill("creator00003")
    page.get_by_label("Caption").fill("how to fold a paper crane #diy #learn")
    page.get_by_label("Duration in seconds").fill("24")
    page.get_by_label("Posting time").fill("2026-12-01T18:30")
    page.get_by_role("button", name="Predict").click()
    page.locator("#answer").wait_for()
    visitor.check_fits()
    check_made_well(page)
    assert page.locator("figure svg").count() == 3
    assert page.get_by_label("Caption").input_value() == "how to fold a paper crane #diy #learn"
    assert page.get_by_label("Posting time").input_value() == "2026-12-01T18:30"
    assert "18:00 " in (page.locator("figure svg").nth(1).get_attribute("aria-label") or "")


def test_trying_stores_nothing(visitor: Visitor, lived: Path) -> None:
    import sqlite3

    def stored() -> int:
        with sqlite3.connect(lived / "groundswell.db") as connection:
            found: int = connection.execute("select count(*) from predictions").fetchone()[0]
        connection.close()
        return found

    before = stored()
    visitor.open(TYPED)
    assert stored() == before


def test_what_cannot_be_read_is_said_beside_its_field(visitor: Visitor) -> None:
    page = visitor.open("/try?window=publish&durationSeconds=soon&description=mine&postedAt=1999-01-01T00%3A00", 422)
    assert page.get_by_label("Duration in seconds").get_attribute("aria-invalid") == "true"
    assert page.get_by_label("Duration in seconds").input_value() == "soon"
    assert page.get_by_label("Caption").input_value() == "mine"
    check_made_well(page)
    page = visitor.open("/try?window=publish&durationSeconds=9&description=mine&postedAt=1999-01-01T00%3A00", 422)
    assert page.get_by_label("Posting time").get_attribute("aria-invalid") == "true"
    page = visitor.open("/try?window=observed&description=mine", 422)
    assert page.get_by_label("Views", exact=True).is_visible()
    page = visitor.open("/try?window=6h&description=mine", 422)
    assert "No model serves" in page.locator("main").inner_text()


def test_what_somebody_typed_is_never_run(visitor: Visitor) -> None:
    hostile = "%3Cscript%3Ealert(1)%3C/script%3E%22%27%7B%7B7*7%7D%7D"
    page = visitor.open(f"/try?window=publish&description={hostile}&author={hostile}&soundName={hostile}&hashtags=x")
    assert page.get_by_label("Caption").input_value() == "<script>alert(1)</script>\"'{{7*7}}"
    check = page.locator("script")
    assert check.count() == 0
    assert "<script>" not in visitor.open(f"/runs?kind={hostile}", 422).content()


def test_a_list_is_paged_and_filtered_by_links_alone(browser: Browser, lived_service: str) -> None:
    with visiting(browser, lived_service, java_script_enabled=False) as found:
        page = found.page
        page.goto(f"{lived_service}/runs?limit=5")
        first = page.locator("tbody tr").count()
        page.get_by_role("link", name="Older").click()
        assert (first, page.locator("tbody tr").count()) == (5, 5)
        assert "6 to 10 of" in page.locator("main").inner_text()
        page.get_by_role("link", name="Newer").click()
        page.get_by_role("link", name="failed").click()
        assert page.locator("tbody tr").count() == 1


def test_the_keyboard_reaches_the_content_first(visitor: Visitor) -> None:
    page = visitor.open("/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    assert skip.evaluate("one => document.activeElement === one")
    page.wait_for_function("document.activeElement.getBoundingClientRect().top >= 0")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_a_rollback_is_asked_for_and_refused_where_somebody_was_faster(
    browser: Browser, lived: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(lived, home)
    with serving(settings_of(home)) as address, visiting(browser, address) as found:
        page = found.open("/lines/observed")
        page.get_by_role("link", name="Roll back to version 1").click()
        assert "Version 1 will serve instead of version 3" in page.locator("main").inner_text()
        assert twin(address, "/api/models")["champions"]["observed"] == 3
        other = page.context.new_page()
        other.goto(f"{address}/models/1/promote")
        page.get_by_role("button", name="Roll back to version 1").click()
        page.get_by_role("status").wait_for()
        assert page.url.endswith("/models/1?notice=rolled-back")
        assert "It serves" in page.locator("main").inner_text()
        assert twin(address, "/api/models")["champions"]["observed"] == 1
        check_made_well(page)
        # The other tab had nothing to promote against: it was opened while version 3 served.
        other.get_by_role("button", name="Promote version 1").click()
        assert "no longer version 3" in other.locator("main").inner_text()


def test_a_form_of_somebody_else_changes_nothing(lived: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(lived, home)
    with serving(settings_of(home)) as address:
        request = urllib.request.Request(
            f"{address}/lines/observed/rollback", b"expected=3", {"Origin": "http://evil.example"}
        )
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(request)
        assert twin(address, "/api/models")["champions"]["observed"] == 3


def test_a_key_that_only_reads_sees_no_lever(browser: Browser, lived: Path) -> None:
    keys = "ann:read:ann-may-only-read,bob:operate:bob-may-do-it-all"
    with serving(settings_of(lived, api_keys=keys)) as address, visiting(browser, address) as found:
        page = found.page
        page.goto(f"{address}/lines/observed")
        page.get_by_label("Key").fill("ann-may-only-read")
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("heading", name="Line observed").wait_for()
        assert page.get_by_role("link", name="Roll back").count() == 0
        assert page.locator("nav a[href='/try']").count() == 0
        found.open("/lines/observed/rollback", 403)
        page.get_by_role("button", name="Log out").click()
        page.get_by_label("Key").wait_for()


def test_dark_is_dark_and_can_be_read(browser: Browser, lived_service: str) -> None:
    papers = {}
    for scheme in ("light", "dark"):
        with visiting(browser, lived_service, color_scheme=scheme) as found:
            for path in (*PLACES, "/lines/publish"):
                page = found.open(path)
                worst = page.evaluate(_CONTRAST)
                assert worst["ratio"] >= 4.5, (scheme, path, worst)
            papers[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert papers["light"] == "rgb(255, 255, 255)"
    assert papers["dark"] != papers["light"]


#: The lowest contrast of any text on the page with what lies behind it, by the formula of WCAG 2.
_CONTRAST = """() => {
  const channel = value => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
  const behind = one => {
    for (; one; one = one.parentElement) {
      const found = parse(getComputedStyle(one).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  let worst = {ratio: 21};
  for (const one of document.querySelectorAll('body *:not(svg *)')) {
    const own = [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || !one.getClientRects().length || one.closest('.skip')) continue;
    const [a, b] = [light(parse(getComputedStyle(one).color)), light(behind(one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst.ratio) worst = {ratio, text: one.textContent.trim().slice(0, 60), tag: one.tagName};
  }
  return worst;
}"""


def test_a_phone_never_scrolls_sideways(browser: Browser, lived_service: str, empty_service: str) -> None:
    with visiting(browser, lived_service, **PHONE) as found:
        for path in (*PLACES, *details(lived_service)):
            found.open(path)
    with visiting(browser, empty_service, **PHONE) as found:
        for path in PLACES:
            found.open(path)


@pytest.mark.skipif(os.environ.get("GROUNDSWELL_PICTURES") != "1", reason="pictures are made by `make pictures`")
def test_pictures_for_the_docs(browser: Browser, lived_service: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    audit, failed = newest_run(lived_service, "kind=audit"), newest_run(lived_service, "status=failed")
    shown = {
        "today": "/",
        "try": TYPED,
        "try-choices": f"{TYPED}#drawn",
        "lines": "/lines",
        "line": "/lines/publish",
        "line-metrics": "/lines/publish#good",
        "line-honesty": "/lines/publish#wrong",
        "models": "/models",
        "model": "/models/2",
        "rollback": "/lines/observed/rollback",
        "audits": "/audits",
        "audit": f"/audits/{audit}",
        "runs": "/runs",
        "run": f"/runs/{failed}",
        "data": "/data",
    }
    small: dict[str, Any] = {"viewport": {"width": 1_000, "height": 800}}
    looks: dict[str, dict[str, Any]] = {
        "": small,
        "-dark": small | {"color_scheme": "dark"},
        "-phone": PHONE | {"device_scale_factor": 1},
    }
    for suffix, look in looks.items():
        with visiting(browser, lived_service, **look) as found:
            for name, path in shown.items():
                if suffix and name not in {"today", "try", "line"}:
                    continue
                file = PICTURES / f"{name}{suffix}.png"
                found.open(path).screenshot(path=file)
                assert file.stat().st_size <= LARGEST, file.name
