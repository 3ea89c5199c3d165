"""A made-up body of `groundswell backtest`: no randomness, every part filled."""

from __future__ import annotations

from typing import Any

Body = dict[str, Any]
HOLDOUT = 2_002


def estimate(value: float | None, spread: float | None = 0.02, n: int = HOLDOUT) -> Body:
    """An estimate; without a spread it has no interval, without a value nothing."""
    if value is None or spread is None:
        return {"value": value, "low": None, "high": None, "n": n}
    return {"value": value, "low": value - spread, "high": value + 0.9 * spread, "n": n}


def made_up_backtest(window: str = "6h") -> Body:
    """A body in which everything is known."""
    return {
        "status": "completed",
        "window": window,
        "source": "exports/clockworks-2025.json, exports/research-api.json",
        "asOf": "2025-06-01T00:00:00+00:00",
        "label": {
            "quantity": "views",
            "labelAgeHours": 72.0,
            "labelAgeMaxHours": None,
            "cutPoints": [1_240.0, 5_310.0, 22_450.5, 148_000.0],
        },
        "n": _counts(),
        "periods": {
            "train": {"from": "2024-01-03T08:00:00+00:00", "to": "2025-01-31T23:10:00+00:00"},
            "calibration": {"from": "2025-02-04T00:00:00+00:00", "to": "2025-03-10T12:00:00+00:00"},
            "holdout": {"from": "2025-03-14T00:00:00+00:00", "to": "2025-05-28T21:00:00+00:00"},
        },
        "metrics": _metrics(),
        "baselines": {
            "majority": _baseline(0.224, 0.561, 0.0, 0.241),
            "creatorMedian": _baseline(0.421, 0.752, 0.548, 0.127),
            "earlyRank": _baseline(0.398, 0.771, 0.561, 0.131),
            "tierShares": {
                "rps": estimate(0.201, 0.003),
                "logLoss": estimate(1.609, 0.01),
                "brier": estimate(0.8, 0.004),
            },
        },
        "lift": {
            "baseline": "creatorMedian",
            "rps": {"value": -0.021, "low": -0.027, "high": -0.016, "n": HOLDOUT},
            "accuracyPoints": 6.1,
        },
        "ceiling": {"accuracy": 0.53, "r2": 0.41, "reached": 0.91},
        "range": {"promised": 0.8, "coverage": estimate(0.807), "meanTiers": 2.3, "calibrationRows": 1_210},
        "slices": _slices(),
        "confusionMatrix": [
            [230, 108, 31, 12, 4],
            [94, 160, 97, 34, 9],
            [30, 103, 150, 100, 21],
            [9, 38, 103, 166, 90],
            [3, 11, 27, 113, 259],
        ],
        "perClass": [
            {"tier": tier, "precision": precision, "recall": recall, "support": support}
            for tier, precision, recall, support in (
                (1, 0.628, 0.597, 385),
                (2, 0.381, 0.406, 394),
                (3, 0.368, 0.371, 404),
                (4, 0.391, 0.409, 406),
                (5, 0.676, 0.627, 413),
            )
        ],
        "reliability": {"bins": _bins(), "n": HOLDOUT},
        "topFeatures": _features(),
        "learners": [
            {"kind": "boostedClassifier", "logLoss": 1.187, "weight": 0.55},
            {"kind": "boostedRegression", "logLoss": 1.201, "weight": 0.35},
            {"kind": "linear", "logLoss": 1.262, "weight": 0.1},
        ],
        "randomSplit": {"accuracy": 0.58, "rps": 0.091, "gap": 0.098},
        "findings": _findings(),
        "decision": {
            "decision": "promote",
            "reason": "RPS is lower than the creator's median by more than its interval (n 2,002)",
            "enough": "an RPS under that of the best baseline with its whole interval",
        },
        "stepSeconds": {"read": 4.12, "features": 9.87, "train": 31.4, "judge": 6.02},
    }


def scanty_backtest() -> Body:
    """A body in which next to nothing is known: no holdout, no intervals, slices empty or absent."""
    body = made_up_backtest("publish")
    nothing = estimate(None, None, 0)
    del body["baselines"]["earlyRank"]
    empty = {"n": 0, **dict.fromkeys(("accuracy", "rps", "logLoss", "withinOne", "qwk"), nothing)}
    body["n"] = dict.fromkeys(body["n"], 0) | {
        "immatureBy": {"tooYoung": 0, "notReadSince": 0, "readTooLate": 0},
        "rejectedBy": {},
    }
    body["periods"] = {name: {"from": None, "to": None} for name in body["periods"]}
    body["metrics"] = dict.fromkeys(body["metrics"], nothing)
    body["baselines"] = {name: dict.fromkeys(found, nothing) for name, found in body["baselines"].items()}
    body["lift"] = {"baseline": "creatorMedian", "rps": nothing, "accuracyPoints": None}
    body["ceiling"] = {"accuracy": None, "r2": None, "reached": None}
    body["range"] = {"promised": 0.8, "coverage": nothing, "meanTiers": None, "calibrationRows": 0}
    body["slices"] = {"seenCreators": empty, "unseenCreators": None, "platform": {}, "creatorSize": {}, "source": {}}
    body["confusionMatrix"] = [[0] * 5 for _ in range(5)]
    body["perClass"] = [{"tier": tier, "precision": None, "recall": None, "support": 0} for tier in range(1, 6)]
    body["reliability"] = {
        "bins": [{"binStart": 0.0, "binEnd": 0.1, "avgPredicted": None, "avgActual": None, "count": 0, "gap": None}],
        "n": 0,
    }
    body |= {"topFeatures": [], "learners": [], "randomSplit": None, "stepSeconds": {}}
    body["findings"] = [
        {"code": "G1", "title": "Enough videos", "outcome": "failed", "explanation": "0 of 500 videos."}
    ]
    body["decision"] = {"decision": "hold", "reason": "No video to judge on", "enough": "500 videos of known outcome"}
    return body


def _counts() -> Body:
    return {
        "videos": 14_310,
        "train": 7_180,
        "calibration": 1_210,
        "embargo": 402,
        "holdout": HOLDOUT,
        "immature": 2_716,
        "immatureBy": {"tooYoung": 611, "notReadSince": 2_105, "readTooLate": 0},
        "olderLeftOut": 0,
        "withoutReading": 748,
        "rejected": 52,
        "rejectedBy": {"views_missing": 31, "posted_at_in_future": 21},
    }


def _metrics() -> Body:
    return {
        "accuracy": estimate(0.482),
        "withinOne": estimate(0.836, 0.017),
        "qwk": estimate(0.652, 0.025),
        "rps": estimate(0.106, 0.005),
        "logLoss": estimate(1.193, 0.035),
        "brier": estimate(0.639, 0.017),
        "spearman": estimate(0.671, 0.024),
        "ece": estimate(0.023, 0.011),
        "balancedAccuracy": estimate(0.479),
        "macroF1": estimate(0.477),
    }


def _baseline(accuracy: float, within_one: float, qwk: float, rps: float) -> Body:
    return {
        "accuracy": estimate(accuracy),
        "withinOne": estimate(within_one),
        "qwk": estimate(qwk, 0.024) if qwk else estimate(qwk, None),
        "rps": estimate(rps, 0.006),
        "logLoss": estimate(rps * 11, 0.05),
        "brier": estimate(rps * 5.4, 0.02),
    }


def _slice(accuracy: float, n: int) -> Body:
    spread = 0.9 / n**0.5
    return {
        "n": n,
        "accuracy": estimate(accuracy, spread, n),
        "rps": estimate(0.215 - 0.226 * accuracy, spread / 4, n),
        "logLoss": estimate(2.1 - 1.88 * accuracy, spread, n),
        "withinOne": estimate(accuracy + 0.35, spread / 1.2, n),
        "qwk": estimate(accuracy + 0.17, spread, n),
    }


def _slices() -> Body:
    return {
        "seenCreators": _slice(0.513, 1_301),
        "unseenCreators": _slice(0.424, 701),
        "platform": {"tiktok": _slice(0.485, 1_744), "instagram": _slice(0.461, 258)},
        "creatorSize": {
            "unknown": _slice(0.401, 96),
            "under10k": _slice(0.522, 640),
            "10kTo100k": _slice(0.471, 702),
            "100kTo1M": _slice(0.452, 431),
            "over1M": _slice(0.497, 133),
        },
        "source": {"clockworks-2025.json": _slice(0.49, 1_402), "research-api.json": _slice(0.463, 600)},
    }


def _bins() -> list[Body]:
    counts = (0, 0, 41, 322, 466, 402, 291, 214, 142, 84, 31, 9, 0, 0, 0)
    bins = []
    for place, count in enumerate(counts):
        start, end = round(place / 15, 4), round((place + 1) / 15, 4)
        named = (start + end) / 2 if count else None
        true = None if named is None else named + (0.02 if place % 2 else -0.03)
        gap = None if named is None or true is None else abs(named - true)
        bins.append(
            {"binStart": start, "binEnd": end, "avgPredicted": named, "avgActual": true, "count": count, "gap": gap}
        )
    return bins


def _features() -> list[Body]:
    return [
        {"name": name, "sentence": sentence, "unit": unit, "importance": importance}
        for name, sentence, unit, importance in (
            ("early_views", "Views at the last reading within the window", "views", 0.0412),
            ("creator_median_views", "Median views of the creator's earlier videos that had matured", "views", 0.0288),
            ("author_followers", "Followers of the creator, as seen at or before posting", "followers", 0.0121),
            ("early_like_rate", "Likes for each view at the last reading within the window", "share", 0.0067),
            (
                "views_against_creator",
                "Views so far against what the creator's earlier videos had at the same age, as a ratio of the two",
                "ratio",
                0.0052,
            ),
            ("posted_hour", "Hour of the day at which the video was posted, in UTC", "hour", 0.0011),
            ("caption_length", "Length of the caption", "characters", 0.0004),
            ("hashtag_count", "Number of hashtags", "hashtags", -0.0001),
        )
    ]


def _findings() -> list[Body]:
    return [
        {
            "code": "G1",
            "title": "Enough videos to judge on",
            "outcome": "passed",
            "explanation": "2,002 videos of known outcome; 500 are needed.",
        },
        {
            "code": "G2",
            "title": "Better than the best baseline",
            "outcome": "passed",
            "explanation": "RPS 0.106 against 0.127 of the creator's median; the whole interval is below 0.",
        },
        {
            "code": "G4",
            "title": "No leakage",
            "outcome": "passed",
            "explanation": "No feature alone reaches a rank correlation of 0.98 with the label's quantity.",
        },
        {
            "code": "G5",
            "title": "Not worse than the champion",
            "outcome": "not_applicable",
            "explanation": "Nothing serves in this window yet.",
        },
    ]
