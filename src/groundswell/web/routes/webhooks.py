"""The webhook of a scraper: its call at the end of a run, with the items or with the dataset where they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import SecretStr

from groundswell.jobs.received import RUN_ID, Delivery, receive
from groundswell.sources.containers.json_text import BrokenJsonError, parsed
from groundswell.web.bodies import Json
from groundswell.web.guard.bearers import bearer, compare
from groundswell.web.guard.refusals import WebhookError
from groundswell.web.state import State, state_of

SUCCEEDED = "ACTOR.RUN.SUCCEEDED"
SECRET_HEADERS = ("x-groundswell-secret", "x-apify-webhook-secret")
_EXAMPLES: dict[str, Any] = {
    "apify": {
        "summary": "What Apify sends by default; the items are fetched from the dataset",
        "value": {
            "userId": "abf6vtB2nvQZ4nJzo",
            "createdAt": "2026-01-05T18:00:00.000Z",
            "eventType": SUCCEEDED,
            "eventData": {"actorId": "GdWCkxBtKWOsKjdch", "actorRunId": "yTmGkbgzMPnLfWyZ1"},
            "resource": {"id": "yTmGkbgzMPnLfWyZ1", "status": "SUCCEEDED", "defaultDatasetId": "wmKPijuyDnPZAPRMk"},
        },
    },
    "items": {
        "summary": "The items themselves",
        "value": {"runId": "yTmGkbgzMPnLfWyZ1", "items": [{"id": "7300000000000000000", "playCount": 150000}]},
    },
}
_RUN_ID = {"type": "string", "pattern": f"^{RUN_ID.pattern}$"}
_BY_APIFY = {
    "type": "object",
    "required": ["eventType", "eventData", "resource"],
    "properties": {
        "eventType": {"type": "string", "description": f"Only {SUCCEEDED} brings items; others are ignored."},
        "eventData": {"type": "object", "required": ["actorRunId"], "properties": {"actorRunId": _RUN_ID}},
        "resource": {
            "type": "object",
            "required": ["defaultDatasetId"],
            "properties": {"defaultDatasetId": {"type": "string", "pattern": "^[A-Za-z0-9]{1,128}$"}},
        },
    },
}
_WITH_ITEMS = {
    "type": "object",
    "required": ["runId", "items"],
    "properties": {"runId": _RUN_ID, "items": {"type": "array", "items": {"type": "object"}}},
}
_ITEMS = {"type": "array", "items": {"type": "object"}, "description": "The items alone, the run's id as `?runId=`."}
_SCHEMA = {"anyOf": [_BY_APIFY, _WITH_ITEMS, _ITEMS]}
_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": _SCHEMA, "examples": _EXAMPLES}}}}
router = APIRouter(prefix="/api/webhooks", tags=["webhooks"])


@dataclasses.dataclass(frozen=True, slots=True)
class Ignored:
    """A call about which there is nothing to do, and why."""

    run_id: str | None
    reason: str


async def _check_secret(request: Request) -> State:
    state = state_of(request)
    compare(_given(request), state.settings.webhook_secret)
    return state


@router.post("/apify", summary="Take in the items of a finished scraper's run", openapi_extra=_BODY)
async def apify(
    request: Request,
    state: Annotated[State, Depends(_check_secret)],
    run_id: Annotated[
        str | None, Query(alias="runId", max_length=100, description="Id of the run, if the body has none.")
    ] = None,
    secret: Annotated[SecretStr | None, Query(description="The secret, where no header can be set.")] = None,  # noqa: ARG001
) -> Json:
    """Answer `read`, `inserted`, `updated`, `unchanged`, `rejected`, `rejectedBy` of the run, and if it is a repeat.

    A call about anything but a run that succeeded is answered with `status` `ignored` and the `reason`.
    """
    call = read_call(await request.body(), run_id)
    if isinstance(call, Ignored):
        return Json({"status": "ignored", "runId": call.run_id, "reason": call.reason})
    return Json(await run_in_threadpool(lambda: receive(state.context(), call)))


def read_call(body: bytes, named: str | None = None) -> Delivery | Ignored:
    """Return what a call delivers, or why there is nothing to do; raises WebhookError where it cannot be told.

    >>> read_call(b'{"runId": "r1", "items": [{"id": "7"}]}')
    Delivery(run_id='r1', dataset=None, items=[{'id': '7'}])
    >>> read_call(b'{"eventType": "ACTOR.RUN.FAILED", "eventData": {"actorRunId": "r1"}}')
    Ignored(run_id='r1', reason='The event is ACTOR.RUN.FAILED; only ACTOR.RUN.SUCCEEDED brings items.')
    """
    try:
        said = parsed(body)
    except BrokenJsonError:
        raise WebhookError("The body is not JSON.") from None
    if isinstance(said, list):
        return Delivery(_run_id(named), items=said)
    if not isinstance(said, dict):
        raise WebhookError("The body is neither an object nor an array.")
    resource, event = _part(said, "resource"), _part(said, "eventData")
    run_id = named or said.get("runId") or event.get("actorRunId") or resource.get("id")
    happened = said.get("eventType") or f"ACTOR.RUN.{resource.get('status') or 'SUCCEEDED'}"
    if happened != SUCCEEDED:
        known = run_id if isinstance(run_id, str) and RUN_ID.fullmatch(run_id) else None
        return Ignored(known, f"The event is {str(happened)[:100]}; only {SUCCEEDED} brings items.")
    if isinstance(said.get("items"), list):
        return Delivery(_run_id(run_id), items=said["items"])
    dataset = said.get("datasetId") or resource.get("defaultDatasetId")
    if not isinstance(dataset, str):
        raise WebhookError("The body has neither `items` nor `resource.defaultDatasetId`.")
    return Delivery(_run_id(run_id), dataset=dataset)


def _given(request: Request) -> str:
    """Return the secret that a call carries, in the first place that has one."""
    places = [bearer(request), *(request.headers.get(name, "") for name in SECRET_HEADERS)]
    return next((found for found in places if found), request.query_params.get("secret", ""))


def _part(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = said.get(name)
    return found if isinstance(found, dict) else {}


def _run_id(found: Any) -> str:
    if not isinstance(found, str) or not RUN_ID.fullmatch(found):
        raise WebhookError(
            "The call names no run: `runId` of up to 100 letters, digits, dots, hyphens and underscores.",
            "Without it, a repeated call could not be told from a new one.",
        )
    return found
