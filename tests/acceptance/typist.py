"""Types commands into one process, one after the other: what each prints and exits with is as in one of its own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO


def typed(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str, str]:
    """Return the exit code of a command, and what it put on stdout and stderr."""
    from groundswell.cli import main

    out, err, code = StringIO(), StringIO(), 0
    sys.argv = ["groundswell", *arguments]
    os.environ.update(environment)
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    for name in environment:
        del os.environ[name]
    return code, out.getvalue(), err.getvalue()


if __name__ == "__main__":
    json.dump([typed(*line) for line in json.load(sys.stdin)], sys.stdout)
