"""An audit of a million pairs, its Platt fit against scipy's, and what it does to four kinds of scores."""

from __future__ import annotations

import tempfile
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from scipy.optimize import minimize
from scipy.special import expit, logit

from bench.measure import Row, peak_megabytes, resident_megabytes, seconds
from groundswell.calibration.platt import cross_entropy, fit_platt
from groundswell.jobs.audit import audit
from groundswell.jobs.context import open_context
from groundswell.settings import load_settings
from groundswell.stages.audit import Policy
from groundswell.stages.audit import audit as audit_stage
from groundswell.store import tables

PAIRS = 1_000_000


def million_pairs() -> list[Row]:
    """The whole audit, against the bare reading of the same pairs, and its memory."""
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder:
        context = open_context(load_settings(home=Path(folder), database_url=None))
        generator = np.random.default_rng(0)
        predicted = np.round(100 * generator.beta(2, 2, PAIRS), 2)
        actual = np.round(np.clip(predicted + generator.normal(0, 8, PAIRS), 0, 100), 2)
        at = now - timedelta(days=10)
        rows = [
            {
                "id": str(uuid.UUID(int=i)),
                "analysis_id": str(uuid.UUID(int=PAIRS + i)),
                "platform": "tiktok",
                "predicted_score": p,
                "actual_score": a,
                "created_at": at,
            }
            for i, (p, a) in enumerate(zip(predicted.tolist(), actual.tolist(), strict=True))
        ]
        with context.database.begin() as connection:
            connection.execute(sa.insert(tables.outcomes), rows)
        del rows
        before = resident_megabytes()
        peak = peak_megabytes(lambda: audit(context, now))
        taken = seconds(lambda: audit(context, now))

        def read() -> None:
            with context.database.read() as connection:
                connection.exec_driver_sql("select predicted_score, actual_score from outcomes").fetchall()

        bare = seconds(read)
    return [
        Row("audit of 1,000,000 pairs", "< 8 s", f"{taken:.2f} s", taken < 8),
        Row("… peak memory of the process", "< 600 MB", f"{peak:.0f} MB ({before:.0f} MB before it)", peak < 600),
        Row("… against only reading them", "for scale", f"{taken / bare:.1f}×", True),
    ]


def platt() -> list[Row]:
    """The fit's parameters against a general optimiser, and ECE before and after on four kinds of scores."""
    generator = np.random.default_rng(1)
    worst = 0.0
    for n in (60, 600, 6_000):
        x = generator.random(n)
        y = (generator.random(n) < expit(5 * x - 3)).astype(float)
        ours = fit_platt(x, y)
        assert not isinstance(ours, str)
        best = minimize(lambda w, x=x, y=y: cross_entropy(expit(-(w[0] * x + w[1])), y).mean(), [0, 0], tol=1e-12)
        worst = max(worst, float(np.abs(best.x - [ours.a, ours.b]).max()))
    rows = [Row("Platt a, b against scipy", "4 digits", f"largest difference {worst:.1e}", worst < 5e-5)]
    chance = generator.beta(2, 2, 20_000)
    actual = np.clip(chance + generator.normal(0, 0.1, len(chance)), 0, 1)
    kinds = {
        "over-confident": expit(2.5 * logit(chance)),
        "under-confident": expit(0.4 * logit(chance)),
        "shifted": expit(logit(chance) + 1),
        "calibrated": chance,
    }
    for name, stated in kinds.items():
        found = audit_stage(stated, actual, Policy(0.15, 50, 200, 42))
        reached = f"{found.ece:.4f} → {found.served_ece:.4f} (n {len(stated):,})"
        rows.append(
            Row(f"ECE of {name} scores", "after ≤ before + 0.01", reached, found.served_ece <= found.ece + 0.01)
        )
    return rows
