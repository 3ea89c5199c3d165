"""Who may do what, and from where: roles, secrets, foreign pages, foreign names."""

from __future__ import annotations

import socket

import pytest

from groundswell.errors import GroundswellError, SettingsError
from groundswell.settings import load_settings
from groundswell.web.guard.exposure import check_exposure
from tests.asking import CRON, HERE, HOOK, OPERATOR, OWN, PREDICTOR, READER, Browser, app_of, bearer

JSON = {"content-type": "application/json"}
#: Each change that a key can make, the roles that may, and a body it would read.
CHANGES = [
    ("POST", "/api/predict", {"pia", "ann"}, b'{"videos": [{}]}'),
    ("POST", "/api/outcomes", {"pia", "ann"}, b'{"outcomes": [{}]}'),
    ("DELETE", "/api/outcomes/x", {"pia", "ann"}, b""),
    ("POST", "/api/models/1/promote", {"ann"}, b""),
    ("POST", "/api/models/rollback", {"ann"}, b""),
]
READS = ["/api/today", "/api/lines", "/api/models", "/api/runs", "/api/audits", "/api/data"]
SECRETS = {"ann": OPERATOR, "ron": READER, "pia": PREDICTOR}


@pytest.mark.parametrize(("method", "path", "allowed", "body"), CHANGES)
def test_a_change_asks_for_its_role(browser: Browser, method: str, path: str, allowed: set[str], body: bytes) -> None:
    for name, secret in SECRETS.items():
        answer = browser.ask(method, path, content=body, headers=bearer(secret) | JSON)
        assert (answer.status_code == 403) == (name not in allowed), (name, answer.text)
    for stranger in (CRON, HOOK, "", "wrong", "caf\u00e9"):
        headers = {"authorization": f"Bearer {stranger}".encode()}
        assert browser.ask(method, path, content=body, headers=headers).status_code == 401


@pytest.mark.parametrize("path", READS)
def test_looking_asks_for_read(browser: Browser, path: str) -> None:
    assert browser.get(path, **bearer(READER)).status_code == 200
    assert browser.get(path, **bearer(OPERATOR)).status_code == 200
    assert browser.get(path, **bearer(PREDICTOR)).status_code == 403
    assert browser.get(path, **bearer(CRON)).status_code == 401


def test_cron_takes_its_own_secret_alone(browser: Browser) -> None:
    for path in ("retrain-ml", "calibration-audit", "harvest-outcomes", "recalibrate"):
        for secret in (OPERATOR, HOOK, ""):
            assert browser.get(f"/api/cron/{path}", **bearer(secret)).status_code == 401
    browser.log_in()
    assert browser.get("/api/cron/calibration-audit").status_code == 401


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", HERE.replace("8000", "9000"), "", "http://[", HERE + "@evil"]
)
@pytest.mark.parametrize("kind", ["session", "nobody"])
def test_a_foreign_page_changes_nothing(browser: Browser, visitor: Browser, kind: str, origin: str) -> None:
    asker = browser if kind == "session" else visitor
    if kind == "session":
        asker.log_in()
    foreign = [{"origin": origin}, {"referer": f"{origin}/x", "origin": origin}]
    foreign += [{**OWN, "sec-fetch-site": "cross-site"}]
    if not origin:
        foreign = [{"sec-fetch-site": "same-site"}]
    for method, path, _, body in CHANGES:
        for headers in foreign:
            answer = asker.ask(method, path, content=body, headers={**JSON, **headers})
            assert answer.status_code == 403, (path, headers)
            assert set(answer.json()) == {"error", "hint"}


def test_a_session_needs_the_proof_and_json(browser: Browser) -> None:
    browser.log_in()
    body = b'{"videos": [{}]}'
    assert browser.post("/api/predict", content=body, headers=JSON).status_code == 403, "no browser leaves it out"
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = browser.post("/api/predict", content=body, headers={**OWN, "content-type": kind})
        assert answer.status_code == 403, kind
    for said in (OWN, {"referer": f"{HERE}/try"}, {**OWN, "sec-fetch-site": "same-origin"}):
        answer = browser.post("/api/predict", content=body, headers={**JSON, **said})
        assert answer.status_code == 409, "there is no champion, so it was let in"


def test_a_key_needs_no_proof(browser: Browser) -> None:
    headers = {**bearer(OPERATOR), "origin": "https://app.example", **JSON}
    assert browser.post("/api/predict", content=b'{"videos": [{}]}', headers=headers).status_code == 409


def test_the_public_url_is_our_own_page_too(tmp_path_factory: pytest.TempPathFactory) -> None:
    browser = Browser(app_of(tmp_path_factory.mktemp("home"), public_url="https://waves.example"))
    browser.log_in()
    assert browser.post("/api/models/1/promote", headers={"origin": "https://waves.example"}).status_code == 404


@pytest.mark.parametrize("path", ["/models/1/promote", "/lines/observed/rollback"])
def test_a_form_needs_a_token_of_its_own_session(browser: Browser, visitor: Browser, path: str) -> None:
    other = Browser(browser.app)
    for one in (browser, other):
        one.log_in()

    def sent(asker: Browser, token: str, **headers: str) -> int:
        data = {"expected": "0", "csrf": token}
        return asker.post(path, data=data, headers=headers or OWN).status_code

    token = browser.token()
    missing = sent(browser, token)
    assert missing in {404, 409}, "let in: there is nothing to move"
    for foreign in ("", "x", token[:-1], token + "A", other.token()):
        assert sent(browser, foreign) == 403
    assert sent(browser, token, origin="https://evil.example") == 403
    assert sent(visitor, "") == 403
    assert sent(visitor, token) == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example:8000", "192.168.1.5:8000", "", "127.0.0.1.evil"]
)
def test_without_keys_no_other_name_is_answered(visitor: Browser, host: str) -> None:
    for path in ("/", "/api/today", "/login", "/openapi.json", "/nothing"):
        answer = visitor.get(path, host=host)
        assert (answer.status_code, set(answer.json())) == (421, {"error", "hint"})
    assert visitor.get("/healthz", host=host).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000"])
def test_without_keys_this_machine_is_answered(visitor: Browser, host: str) -> None:
    assert visitor.get("/api/today", host=host).status_code == 200


def test_with_keys_any_name_is_answered(browser: Browser) -> None:
    assert browser.get("/api/today", host="waves.example", **bearer(READER)).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "2001:db8::1", "other.example", "nonsense.invalid"])
def test_beyond_loopback_a_key_is_needed(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"other.example": "192.0.2.9", None: "0.0.0.0"}

    def resolved(name: str | None, *_: object, **__: object) -> list[tuple[object, ...]]:
        if name == "nonsense.invalid":
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (known.get(name, name), 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    with pytest.raises(GroundswellError, match="no key is set") as raised:
        check_exposure(load_settings(api_key=None, api_keys=None), host)
    assert "GROUNDSWELL_API_KEY" in raised.value.hint
    check_exposure(load_settings(api_key="a-long-secret"), host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_on_loopback_no_key_is_needed(host: str) -> None:
    check_exposure(load_settings(api_key=None, api_keys=None), host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_key_that_can_be_guessed_is_for_this_machine_alone(host: str) -> None:
    for named in ({"api_key": "k"}, {"api_keys": "ann:read:short"}):
        check_exposure(load_settings(**named), "127.0.0.1")
        with pytest.raises(GroundswellError, match="guessed"):
            check_exposure(load_settings(**named), host)


@pytest.mark.parametrize("left", ["undefined", "null", "None", "  "])
def test_what_an_unset_variable_leaves_behind_is_no_key(left: str) -> None:
    with pytest.raises(SettingsError, match="GROUNDSWELL_API_KEY"):
        load_settings(api_key=left)
