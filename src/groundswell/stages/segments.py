"""Segments: platform × creator size, the groups of videos that figures are told of and calibrated by."""

from __future__ import annotations

import polars as pl

#: Upper ends of the creator sizes, in followers.
SIZES = (("under10k", 10_000), ("10kTo100k", 100_000), ("100kTo1M", 1_000_000))


def creator_size(followers: str) -> pl.Expr:
    """Return the name of the creator's size by a column of followers; `unknown` where they are.

    >>> pl.DataFrame({"f": [9_999, 2_000_000, None]}).select(creator_size("f")).to_series().to_list()
    ['under10k', 'over1M', 'unknown']
    """
    sizes = (pl.when(pl.col(followers) < end).then(pl.lit(name)) for name, end in SIZES)
    known = pl.when(pl.col(followers).is_not_null()).then(pl.lit("over1M"))
    return pl.coalesce(*sizes, known, pl.lit("unknown")).alias("creator_size")


def segment_of(platform: str | None, followers: int | None) -> str:
    """Return the segment of one video, the same as `segment` says of a column.

    >>> segment_of("tiktok", 500), segment_of(None, None)
    ('tiktok/under10k', 'unknown/unknown')
    """
    size = "unknown" if followers is None else next((name for name, end in SIZES if followers < end), "over1M")
    return f"{'unknown' if platform is None else platform}/{size}"


def segment(platform: str, followers: str) -> pl.Expr:
    """Return the segment by columns of platform and followers.

    >>> pl.DataFrame({"p": ["tiktok"], "f": [500]}).select(segment("p", "f")).to_series().to_list()
    ['tiktok/under10k']
    """
    return pl.concat_str(pl.col(platform).fill_null("unknown"), pl.lit("/"), creator_size(followers)).alias("segment")
