"""The stratified split against sorting by hand, and its promise: a video stays on its side."""

from __future__ import annotations

import hashlib
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from groundswell.stages import split
from tests.made_up import law

#: Distinct hashes, each with a tier.
populations = st.dictionaries(st.integers(0, 2**64 - 1), st.integers(1, 5), min_size=1, max_size=60)
Population = dict[int, int]


def sides(population: Population) -> dict[int, bool]:
    hashes, tiers = np.array(list(population), dtype=np.uint64), np.array(list(population.values()))
    return dict(zip(population, split.stratified(hashes, tiers).tolist(), strict=True))


@law
@given(populations)
def test_each_tier_gives_floor_of_four_fifths_those_of_the_smallest_hashes(population: Population) -> None:
    found = sides(population)
    for tier in range(1, 6):
        own = sorted(number for number, of in population.items() if of == tier)
        training = set(own[: math.floor(len(own) * 4 / 5)])
        assert {number for number in own if found[number]} == training


@law
@given(populations, st.integers(0, 2**32 - 1))
def test_the_order_of_rows_does_not_move_a_row(population: Population, seed: int) -> None:
    items = list(population.items())
    shuffled = {items[k][0]: items[k][1] for k in np.random.default_rng(seed).permutation(len(items))}
    assert sides(shuffled) == sides(population)


@law
@given(populations, populations)
def test_added_rows_move_others_only_at_the_boundary(old: Population, added: Population) -> None:
    before, after = sides(old), sides(added | old)
    moved = sorted(number for number in old if before[number] != after[number])
    for tier in range(1, 6):
        own = sorted(number for number, of in old.items() if of == tier)
        places = [own.index(number) for number in moved if old[number] == tier]
        boundary = math.floor(len(own) * 4 / 5)
        new = sum(of == tier for number, of in added.items() if number not in old)
        # Those that move are neighbours of the old boundary, and no more than the rows that came.
        assert len(places) <= new
        assert places == list(range(boundary - len(places), boundary)) or places == list(
            range(boundary, boundary + len(places))
        )


def test_row_keys_are_the_head_of_a_sha256_of_salt_and_key() -> None:
    keys = ["tiktok:1", "tiktok:ñ", ""]
    slow = [int.from_bytes(hashlib.sha256(f"42:{key}".encode()).digest()[:8], "big") for key in keys]
    assert split.row_keys(keys, "42").tolist() == slow
    assert split.row_keys([], "42").tolist() == []
