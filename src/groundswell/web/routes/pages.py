"""The pages: HTML for people, made from the same bodies that the API answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from groundswell.access import Role
from groundswell.errors import NoChampionError, RequestError
from groundswell.jobs import models as moves
from groundswell.jobs.audits import show_audit
from groundswell.overview import audited, data, lines, models, runs, today
from groundswell.overview.plans import try_plan
from groundswell.records import Window
from groundswell.reports.audit import told_audit
from groundswell.reports.counted import steps
from groundswell.reports.parts import finding
from groundswell.store import registry
from groundswell.store.listing import Part
from groundswell.web.guard.callers import guarded
from groundswell.web.guard.forms import check_csrf
from groundswell.web.rendering import render
from groundswell.web.routes.twins import KIND, MOST_VERSION, Asked, Number
from groundswell.web.sights.audits import told_audits
from groundswell.web.sights.data import told_data
from groundswell.web.sights.lines import told_line
from groundswell.web.sights.today import told_today
from groundswell.web.sights.tries import told_try
from groundswell.web.state import Here, State
from groundswell.web.tries import FIELDS, Typed, field_of, read_typed

seeing = APIRouter(include_in_schema=False, route_class=guarded(Role.READ))
trying = APIRouter(include_in_schema=False, route_class=guarded(Role.PREDICT))
operating = APIRouter(include_in_schema=False, route_class=guarded(Role.OPERATE))


async def _confirmed(
    request: Request, expected: Annotated[int, Form(ge=0, le=MOST_VERSION)], csrf: Annotated[str, Form()] = ""
) -> int:
    """Return the version that was shown to serve, of a form that comes from our own page."""
    check_csrf(request, csrf)
    return expected


#: What a confirmation carries: a move is refused where another version serves by now.
Confirmed = Annotated[int, Depends(_confirmed)]


@seeing.get("/")
def today_page(request: Request, state: Here) -> HTMLResponse:
    """Answer the state of everything at a glance."""
    body = today.show_today(state.context())
    return render(request, "today.html", body=body, **told_today(body), twin="/api/today")


@trying.get("/try")
def try_page(request: Request, state: Here) -> HTMLResponse:
    """Answer the form of a planned video, and where it was sent, the prediction."""
    context = state.context()
    champions = registry.champions(context.database)
    typed = read_typed(request.query_params, _usual(champions))
    problems = typed.problems()
    around: dict[str, Any] = {
        "typed": typed,
        "windows": [(window.value, champions.get(window.value)) for window in Window],
        "labels": FIELDS,
        "problems": problems,
        "refused": None,
        "told": None,
        "body": None,
    }
    if typed.asked and not problems:
        around |= _tried(state, typed)
    return render(request, "try.html", 422 if around["problems"] or around["refused"] else 200, **around)


def _usual(champions: dict[str, int]) -> Window:
    """Return the window that is asked about where nobody says otherwise: publish, or one that can answer."""
    return next((window for window in Window if window.value in champions), Window.PUBLISH)


def _tried(state: State, typed: Typed) -> dict[str, Any]:
    context = state.context()
    try:
        body = try_plan(context, state.predictor(), typed.video(), typed.window, context.now())
    except NoChampionError as error:
        return {"refused": {"error": str(error), "hint": error.hint}}
    found = body["prediction"]
    if "error" not in found:
        seconds = typed.video().get("durationSeconds")
        return {"body": body, "told": told_try({**body, "durationSeconds": seconds})}
    field = field_of(found["error"])
    if field is None:
        return {"refused": found}
    _, _, said = found["error"].partition(": ")
    return {"problems": {field: said or f"{found['error']} {found['hint']}"}}


@seeing.get("/lines")
def lines_page(request: Request, state: Here) -> HTMLResponse:
    """Answer every window with its champion."""
    return render(request, "lines.html", body=lines.list_lines(state.context()), twin="/api/lines")


@seeing.get("/lines/{window}")
def line_page(window: Window, request: Request, state: Here) -> HTMLResponse:
    """Answer all of a line."""
    body = lines.show_line(state.context(), window)
    told = told_line(body) if body["champion"] else None
    return render(request, "line.html", body=body, told=told, twin=f"/api/lines/{window.value}")


@operating.get("/lines/{window}/rollback")
def rollback_page(window: Window, request: Request, state: Here) -> HTMLResponse:
    """Answer what a rollback would do, and ask."""
    plan = models.plan_rollback(state.context(), window)
    return render(request, "move.html", plan=plan, back=f"/lines/{window.value}")


@operating.post("/lines/{window}/rollback")
def roll_back(window: Window, state: Here, expected: Confirmed) -> Response:
    """Do it, unless another version serves by now than the one that was shown."""
    moved = moves.rollback(state.context(), window, expected)
    return RedirectResponse(f"/models/{moved['champion']}?notice=rolled-back", 303)


@seeing.get("/models")
def models_page(request: Request, state: Here, asked: Asked, window: Window | None = None) -> HTMLResponse:
    """Answer a part of the versions."""
    body = models.list_models(state.context(), asked, window)
    chosen = {"window": window.value} if window else {}
    return render(
        request,
        "models.html",
        body=body,
        chosen=chosen,
        twin="/api/models",
        turns=_turns("/models", asked, body, chosen),
    )


@seeing.get("/models/{number}")
def model_page(number: Number, request: Request, state: Here) -> HTMLResponse:
    """Answer a version in full."""
    body = models.show_model(state.context(), number)
    told = told_line({**body, "champion": body, "label": body["lineage"]})
    findings = [finding(one) for one in body["decision"].get("findings") or []]
    return render(request, "model.html", body=body, told=told, findings_rows=findings, twin=f"/api/models/{number}")


@operating.get("/models/{number}/promote")
def promote_page(number: Number, request: Request, state: Here) -> HTMLResponse:
    """Answer what a promotion by hand would do, and ask."""
    plan = models.plan_promotion(state.context(), number)
    return render(request, "move.html", plan=plan, back=f"/models/{number}")


@operating.post("/models/{number}/promote")
def promote(number: Number, state: Here, expected: Confirmed) -> Response:
    """Do it, unless another version serves by now than the one that was shown."""
    moved = moves.promote(state.context(), number, expected)
    notice = "promoted" if moved["moved"] else "unmoved"
    return RedirectResponse(f"/models/{number}?notice={notice}", 303)


@seeing.get("/audits")
def audits_page(request: Request, state: Here, asked: Asked) -> HTMLResponse:
    """Answer how the ECE went, and a part of the audits."""
    body = audited.list_audits(state.context(), asked)
    turns = _turns("/audits", asked, body, {})
    return render(request, "audits.html", body=body, told=told_audits(body), twin="/api/audits", turns=turns)


@seeing.get("/audits/{run_id}")
def audit_page(run_id: str, request: Request, state: Here) -> HTMLResponse:
    """Answer one audit: what its report says, in the look of the pages."""
    body = show_audit(state.context(), run_id)
    return render(request, "audit.html", **told_audit(body), twin=f"/api/audits/{run_id}")


@seeing.get("/runs")
def runs_page(
    request: Request,
    state: Here,
    asked: Asked,
    kind: Annotated[str, Query(pattern=KIND)] = "",
    status: Literal["", "running", "completed", "skipped", "failed"] = "",
) -> HTMLResponse:
    """Answer a part of the runs."""
    body = runs.list_runs(state.context(), asked, kind or None, status or None)
    chosen = {name: value for name, value in (("kind", kind), ("status", status)) if value}
    turns = _turns("/runs", asked, body, chosen)
    return render(request, "runs.html", body=body, chosen=chosen, twin="/api/runs", turns=turns)


@seeing.get("/runs/{run_id}")
def run_page(run_id: str, request: Request, state: Here) -> HTMLResponse:
    """Answer one run with its steps and its log."""
    body = runs.show_run(state.context(), run_id)
    taken = body["stepSeconds"]
    return render(request, "run.html", body=body, steps=steps(taken) if taken else None, twin=f"/api/runs/{run_id}")


@seeing.get("/data")
def data_page(request: Request, state: Here) -> HTMLResponse:
    """Answer what is stored, refused and matured."""
    body = data.show_data(state.context())
    return render(request, "data.html", body=body, told=told_data(body), twin="/api/data")


def _turns(path: str, asked: Part, body: dict[str, Any], chosen: dict[str, str]) -> dict[str, Any]:
    """Return where the parts before and after this one are, None where there is none, and which entries are shown."""

    def to(offset: int) -> str:
        return f"{path}?{urlencode({**chosen, 'limit': asked.limit, 'offset': offset})}"

    total = body["total"]
    if asked.offset and asked.offset >= total:
        raise RequestError(f"There are only {total:,} of them.", "Go back to the first page.")
    return {
        "newer": to(max(0, asked.offset - asked.limit)) if asked.offset else None,
        "older": to(asked.offset + asked.limit) if asked.offset + asked.limit < total else None,
        "first": asked.offset + 1 if total else 0,
        "last": min(total, asked.offset + asked.limit),
        "total": total,
    }
