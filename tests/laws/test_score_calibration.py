"""What may serve after a refit: calibrated scores stay, the rest gets better, order is kept, segments shrink."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.special import expit, logit

from groundswell.calibration.grouped import grouped
from groundswell.calibration.platt import fit_platt
from groundswell.calibration.reliability import expected_calibration_error
from groundswell.calibration.score_calibration import (
    ScoreCalibration,
    ScoreFit,
    refit_score,
    score_calibration_from_content,
)
from groundswell.calibration.score_calibrators import Identity, LogitPlatt, fit_logit_platt
from groundswell.calibration.scores import Floats

DISTORTIONS = {
    "calibrated": lambda chance: chance,
    "over-confident": lambda chance: expit(2.5 * logit(chance)),
    "under-confident": lambda chance: expit(0.4 * logit(chance)),
    "shifted up": lambda chance: expit(logit(chance) + 1.0),
    "shifted down": lambda chance: expit(logit(chance) - 1.0),
    "bent": lambda chance: chance**3,
    "reversed": lambda chance: 1 - chance,
}
NAMES = ["tiktok/under10k", "tiktok/over10k", "youtube/under10k"]


def pairs(distortion: str, n: int, seed: int, hard: bool = False) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(seed)
    chance = generator.beta(2, 2, n)
    share = generator.beta(15 * chance, 15 * (1 - chance)).round(4)
    actual = (generator.random(n) < chance).astype(float) if hard else share
    return DISTORTIONS[distortion](chance).round(4), actual


def fitted(distortion: str, n: int, seed: int, hard: bool = False) -> ScoreFit:
    return refit_score(*pairs(distortion, n, seed, hard), min_pairs=50, seed=42)


@pytest.mark.parametrize("distortion", DISTORTIONS)
@pytest.mark.parametrize("hard", [True, False])
@pytest.mark.parametrize("n", [50, 300, 3_000])
def test_platt_is_always_reported_and_says_whether_it_serves(distortion: str, hard: bool, n: int) -> None:
    x, y = pairs(distortion, n, 7, hard)
    now = refit_score(x, y, 50, 42)
    platt = fit_platt(x, y)
    assert now.platt is not None
    assert not isinstance(platt, str)
    assert (now.platt.a, now.platt.b) == pytest.approx((platt.a, platt.b), rel=1e-6)
    losses = {one.kind: one.log_loss for one in now.candidates}
    helps = now.platt.a < 0 and (losses["platt"] or 9) < (losses["identity"] or 0)
    serves = now.active and now.calibration.calibrator.kind == "platt"
    said = "active" if serves else "better than leaving" if helps else "left alone"
    assert now.platt_reason.startswith(said) or now.platt.a >= 0
    assert now.active or not helps


@pytest.mark.parametrize("hard", [True, False])
@pytest.mark.parametrize("n", [100, 1_000, 5_000])
def test_calibrated_scores_stay_or_hardly_change(hard: bool, n: int) -> None:
    changes = []
    for seed in range(10):
        x, _ = pairs("calibrated", n, seed, hard)
        changes.append(np.abs(fitted("calibrated", n, seed, hard).calibration.apply(x) - x).mean())
    assert np.median(changes) < 0.02
    assert max(changes) < 0.09


def test_identity_stays_where_nothing_is_to_be_gained() -> None:
    found = [fitted("calibrated", 5_000, seed, hard=True) for seed in range(20)]
    assert sum(one.active for one in found) <= 3


@pytest.mark.parametrize("distortion", ["over-confident", "under-confident", "shifted up", "shifted down", "bent"])
@pytest.mark.parametrize("hard", [True, False])
def test_what_becomes_active_helps_pairs_that_it_has_not_seen(distortion: str, hard: bool) -> None:
    found = fitted(distortion, 3_000, 1, hard)
    assert found.active
    x, y = pairs(distortion, 20_000, 2, hard)
    before, after = (expected_calibration_error(p, y) for p in (x, found.calibration.apply(x)))
    assert after < 0.35 * before


@pytest.mark.parametrize("distortion", DISTORTIONS)
@pytest.mark.parametrize("n", [50, 200, 1_000])
def test_what_serves_is_out_of_sample_no_worse_than_before(distortion: str, n: int) -> None:
    x, y = pairs(distortion, 20_000, 99, hard=True)
    before = expected_calibration_error(x, y)
    after = [
        expected_calibration_error(fitted(distortion, n, seed, True).calibration.apply(x), y) for seed in range(10)
    ]
    assert np.mean(after) <= before + 0.5 / np.sqrt(n)


@pytest.mark.parametrize("distortion", DISTORTIONS)
@pytest.mark.parametrize("n", [60, 2_000])
def test_no_order_is_reversed(distortion: str, n: int) -> None:
    found = fitted(distortion, n, 3, hard=True)
    assert (np.diff(found.calibration.apply(np.linspace(0, 1, 1_001))) >= 0).all()
    assert found.calibration.apply(np.array([0.0, 1.0])) == pytest.approx([0.5, 0.5], abs=0.5)
    if distortion == "reversed":
        assert not found.active
        assert found.calibration == ScoreCalibration(Identity(), {})
        assert found.platt is not None
        assert found.platt.a > 0
        assert "reverse the order" in found.reason
        assert [one.eligible for one in found.candidates if one.kind == "platt"] == [False]


@pytest.mark.parametrize("distortion", ["over-confident", "under-confident"])
def test_the_signs_of_the_parameters(distortion: str) -> None:
    found = fitted(distortion, 5_000, 4)
    assert found.platt is not None
    assert found.platt.a < 0
    assert found.platt.b > 0
    if distortion == "over-confident":
        x, y = pairs(distortion, 5_000, 4)
        slopes = fit_logit_platt(grouped(x, y, np.zeros(len(x), dtype=np.int64), 1)[0])
        assert isinstance(slopes, LogitPlatt)
        assert slopes.slope == pytest.approx(0.4, rel=0.1)


def test_isotonic_needs_rows_and_every_candidate_says_why_not() -> None:
    few, many = fitted("bent", 999, 5), fitted("bent", 1_000, 5)
    isotonic = {one.kind: one for one in few.candidates}["isotonic"]
    assert (isotonic.log_loss, isotonic.eligible) == (None, False)
    assert "1000 are needed" in isotonic.reason
    assert {one.kind: one for one in many.candidates}["isotonic"].log_loss is not None
    assert all(one.reason for one in (*few.candidates, *many.candidates))


def test_another_kind_serves_only_where_its_lead_is_clear() -> None:
    for seed in range(30):
        found = fitted("over-confident", 120, seed)
        kind = found.calibration.calibrator.kind
        if kind not in ("identity", "platt"):
            lead = {one.kind: one for one in found.candidates}[kind].lead
            assert lead is not None
            assert lead.high is not None
            assert lead.high < 0


@pytest.mark.parametrize(
    ("x", "y", "reason"),
    [
        (np.zeros(0), np.zeros(0), "0 pairs, 50 are needed"),
        (np.linspace(0, 1, 49), np.linspace(0.2, 0.8, 49), "49 pairs, 50 are needed"),
        (np.full(60, 0.5), np.linspace(0, 1, 60), "all scores are equal"),
        (np.linspace(0, 1, 60), np.zeros(60), "every outcome is 0"),
        (np.linspace(0, 1, 60), (np.linspace(0, 1, 60) > 0.5).astype(float), "one score separates"),
    ],
)
def test_where_there_is_no_fit_scores_are_left_alone_with_the_reason(x: Floats, y: Floats, reason: str) -> None:
    found = refit_score(x, y, 50, 42)
    assert (found.platt, found.active, found.calibration) == (None, False, ScoreCalibration(Identity(), {}))
    assert reason in found.reason
    assert found.platt_reason == found.reason


def segmented(n: int, seed: int, offset: float, small: int = 0) -> tuple[Floats, Floats, list[str | None]]:
    """Calibrated pairs of three segments and none; of the first one the log-odds are off."""
    generator = np.random.default_rng(seed)
    which = generator.integers(0, 4, n)
    if small:
        which[:] = np.where(np.arange(n) < small, 0, which % 3 + 1)
    stated = generator.beta(2, 2, n)
    chance = expit(logit(stated) + np.where(which == 0, offset, 0))
    return stated.round(4), generator.beta(9 * chance, 9 * (1 - chance)), [[*NAMES, None][k] for k in which]


def test_a_segment_that_differs_gets_its_offset_and_the_others_hardly_any() -> None:
    x, y, names = segmented(8_000, 1, 0.8)
    found = refit_score(x, y, 50, 42, names)
    offsets = found.calibration.segments
    assert found.active
    assert offsets[NAMES[0]] - offsets[NAMES[1]] == pytest.approx(0.8, abs=0.2)
    assert offsets[NAMES[1]] == pytest.approx(offsets[NAMES[2]], abs=0.1)
    fresh_x, fresh_y, fresh_names = segmented(8_000, 2, 0.8)
    first = np.array([name == NAMES[0] for name in fresh_names])
    with_segments = found.calibration.apply(fresh_x, fresh_names)
    without = found.calibration.apply(fresh_x)
    after, before = (expected_calibration_error(p[first], fresh_y[first]) for p in (with_segments, without))
    assert after < 0.5 * before


def test_equal_segments_have_no_offsets_that_serve() -> None:
    found = [
        refit_score(*segmented(3_000, seed, 0.0)[:2], 50, 42, segmented(3_000, seed, 0.0)[2]) for seed in range(20)
    ]
    assert sum(bool(one.calibration.segments) for one in found) <= 2
    assert max(abs(segment.offset) for one in found for segment in one.segments) < 0.1
    assert sum(segment.n for segment in found[0].segments) == sum(
        name is not None for name in segmented(3_000, 0, 0)[2]
    )


def test_a_small_segment_is_drawn_to_the_others() -> None:
    """Five hits alone would often have an infinite offset: drawn to the others it is smaller than its truth."""
    offsets: dict[int, list[float]] = {5: [], 500: []}
    for small, found in offsets.items():
        for seed in range(10):
            x, y, names = segmented(3_000, seed, 0.7, small)
            hits = (np.random.default_rng(seed).random(3_000) < y).astype(float)
            fits = {fit.name: fit for fit in refit_score(x, hits, 50, 42, names).segments}
            assert fits[NAMES[0]].n == small
            found.append(fits[NAMES[0]].offset)
    assert np.mean(offsets[500]) == pytest.approx(0.6, abs=0.25)
    assert np.abs(offsets[5]).mean() < 0.5 * np.mean(offsets[500])


def test_an_unknown_or_absent_segment_has_no_offset() -> None:
    x = np.array([0.2, 0.5, 0.9])
    calibration = ScoreCalibration(LogitPlatt(1.0, 0.5), {"a": 1.0})
    plain = LogitPlatt(1.0, 0.5).apply(x)
    assert calibration.apply(x).tolist() == plain.tolist()
    assert calibration.apply(x, ["b", None, "c"]).tolist() == plain.tolist()
    assert calibration.apply(x, ["a", None, None])[0] == pytest.approx(expit(logit(plain[0]) + 1.0))
    assert score_calibration_from_content(json.loads(json.dumps(calibration.content()))) == calibration


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"calibrator": {"kind": "identity"}},
        {"calibrator": {"kind": "identity"}, "segments": {"a": "x"}},
        {"calibrator": {}, "segments": {}},
    ],
)
def test_nonsense_is_no_calibration(content: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"kind|segment"):
        score_calibration_from_content(content)


@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_the_order_of_the_pairs_does_not_matter(offset: float) -> None:
    x, y, names = segmented(2_000, 6, offset)
    order = np.random.default_rng(1).permutation(2_000)
    shuffled = refit_score(x[order], y[order], 50, 42, [names[k] for k in order])
    assert shuffled == refit_score(x, y, 50, 42, names)


@pytest.mark.parametrize(("videos", "copies"), [(5, 20), (40, 10)])
def test_nothing_becomes_active_on_too_few_independent_pairs(videos: int, copies: int) -> None:
    x, y = (np.repeat(values, copies) for values in pairs("over-confident", videos, 1))
    found = refit_score(x, y, 50, 42, clusters=np.repeat(np.arange(videos), copies))
    assert not found.active
    assert found.platt is None or f"{videos} of the {videos * copies} pairs are independent" in found.reason


def test_copies_of_calibrated_pairs_seldom_become_active() -> None:
    active = 0
    for seed in range(20):
        x, y = (np.repeat(values, 10) for values in pairs("calibrated", 200, seed))
        active += refit_score(x, y, 50, 42, clusters=np.repeat(np.arange(200), 10)).active
    assert active <= 3


def test_loners_and_clusters_of_one_are_the_same() -> None:
    x, y = pairs("over-confident", 300, 3)
    alone = refit_score(x, y, 50, 42, clusters=np.full(300, -1))
    assert alone == refit_score(x, y, 50, 42, clusters=np.arange(300)) == refit_score(x, y, 50, 42)
