"""The plan in the words of other schedulers: crontab, Vercel, Kubernetes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from groundswell.errors import SettingsError
from groundswell.scheduling.plan import Planned, plan
from groundswell.settings import Settings

#: A run that is cut off by its caller runs on, so this only frees the caller.
_SECONDS = 600
_URL = re.compile(r"https?://[\w.~:/\[\]%-]+")
_CRONTAB = """\
# groundswell: add these lines with `crontab -e`. All times are UTC.
# Where your cron does not know CRON_TZ (Debian's does not), shift the hours to the time zone of the machine.
CRON_TZ=UTC
# The same secret that `groundswell serve` has; keep this file to yourself.
CRON_SECRET=change-me
"""
_CRONJOB = """\
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {name}
spec:
  schedule: {schedule}
  timeZone: Etc/UTC
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 300
  jobTemplate:
    spec:
      backoffLimit: 0
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: curl
              image: curlimages/curl:8.11.1
              env:
                - name: CRON_SECRET
                  valueFrom:
                    secretKeyRef:
                      name: groundswell
                      key: CRON_SECRET
              args:
                - --fail-with-body
                - --silent
                - --show-error
                - --max-time
                - "{seconds}"
                - --header
                - "Authorization: Bearer $(CRON_SECRET)"
                - {url}
"""


def crontab(jobs: tuple[Planned, ...], url: str) -> str:
    """Return lines for a crontab; the secret is a variable at their head."""
    lines = []
    for job in jobs:
        # In a crontab % ends the command.
        address = f"{url}{job.path}".replace("%", "\\%")
        header = '-H "Authorization: Bearer $CRON_SECRET"'
        lines.append(f'{job.cron} curl --fail --silent --show-error --max-time {_SECONDS} {header} "{address}"\n')
    return _CRONTAB + "".join(lines)


def vercel(jobs: tuple[Planned, ...], _url: str) -> str:
    """Return a vercel.json; Vercel sends CRON_SECRET as the bearer by itself, and its times are UTC."""
    crons = [{"path": job.path, "schedule": str(job.cron)} for job in jobs]
    return json.dumps({"crons": crons}, indent=2) + "\n"


def k8s(jobs: tuple[Planned, ...], url: str) -> str:
    """Return a CronJob for each; the secret is the key CRON_SECRET of the Secret `groundswell`."""
    head = (
        "# kubectl create secret generic groundswell --from-literal=CRON_SECRET=…   # the one that serve has\n"
        "# Then `kubectl apply -f` this file. All times are UTC.\n"
    )
    documents = (
        _CRONJOB.format(
            name=f"groundswell-{job.name}",
            schedule=json.dumps(str(job.cron)),
            seconds=_SECONDS,
            url=json.dumps(f"{url}{job.path}"),
        )
        for job in jobs
    )
    return head + "---\n".join(documents)


FORMATS: Mapping[str, Callable[[tuple[Planned, ...], str], str]] = {"crontab": crontab, "vercel": vercel, "k8s": k8s}


#: Where the service is reached from a job of its own pod's cluster: as a service of that name.
_NEARBY = {"k8s": "http://groundswell:8000"}


def printed(settings: Settings, format: str, url: str | None = None) -> dict[str, Any]:  # noqa: A002
    """Return the plan as `text` in one of FORMATS, and its `jobs`; `url` is where the service is reached.

    Raises SettingsError where that is no URL.
    """
    jobs = plan(settings)
    base = (url or settings.public_url or _NEARBY.get(format, "http://127.0.0.1:8000")).rstrip("/")
    if not _URL.fullmatch(base):  # it becomes part of a command
        raise SettingsError(f"{base!r} is no http:// or https:// URL.", "Name one with --url.")
    return {
        "format": format,
        "url": base,
        "jobs": [{"kind": job.kind, "window": job.window, "cron": str(job.cron), "path": job.path} for job in jobs],
        "text": FORMATS[format](jobs, base),
    }
