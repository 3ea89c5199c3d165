"""What `predict` reads: a request's JSON, one video, a list of them, or an export."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from groundswell.errors import RequestError, SourceError
from groundswell.records import Window
from groundswell.requests import read_videos
from tests.unit.sources.samples import CLOCKWORKS

VIDEO = {"views": 1200, "likes": 90, "durationSeconds": 20}


def as_bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize("given", [{"videos": [VIDEO]}, {"window": "observed", "videos": [VIDEO]}, [VIDEO], VIDEO])
def test_a_request_is_read_in_each_of_its_shapes(given: Any, tmp_path: Path) -> None:
    assert read_videos(as_bytes(given)).videos == [VIDEO]
    (tmp_path / "request.json").write_bytes(as_bytes(given))
    assert read_videos(tmp_path / "request.json").videos == [VIDEO]


def test_null_counters_are_left_to_the_predictor() -> None:
    assert read_videos(as_bytes([{"views": None}])).videos == [{"views": None}]


@pytest.mark.parametrize("item", [{"likes": 3}, {"views": 5, "likes": 1, "colour": "red"}, {}, 7, None])
def test_what_stands_under_videos_is_answered_one_by_one_as_over_http(item: Any) -> None:
    assert read_videos(as_bytes({"videos": [VIDEO, item]})).videos == [VIDEO, item]


@pytest.mark.parametrize("packed", [False, True])
def test_an_export_is_read_under_the_names_of_a_request(tmp_path: Path, packed: bool) -> None:
    data = as_bytes(CLOCKWORKS)
    path = tmp_path / "export"
    path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    for given in (path, path.read_bytes()):
        first, second = read_videos(given).videos
        assert (first["platformVideoId"], first["views"], first["authorFollowers"]) == (
            "7100000000000000001",
            1000,
            5000,
        )
        assert (second["author"], second["views"]) == ("bob", None)


def test_canonical_columns_are_understood_as_lines_and_as_a_request() -> None:
    rows = [{"platform_video_id": "1", "views": 5, "likes": 1, "duration_seconds": 9}] * 2
    lines = b"\n".join(map(as_bytes, rows))
    for given in (lines, as_bytes(rows), as_bytes({"videos": rows})):
        found = read_videos(given).videos
        assert [video.get("durationSeconds", video.get("duration_seconds")) for video in found] == [9, 9]


@pytest.mark.parametrize(
    ("named", "given", "asked"),
    [(None, None, "observed"), ("6h", None, "6h"), ("6h", Window.PUBLISH, "publish"), (None, Window.HOUR_1, "1h")],
)
def test_the_window_is_the_one_given_else_the_one_named(named: str | None, given: Window | None, asked: str) -> None:
    content = {"videos": [VIDEO]} | ({"window": named} if named else {})
    assert read_videos(as_bytes(content), given).window == asked


def test_a_window_that_does_not_exist_is_refused_by_its_name() -> None:
    with pytest.raises(RequestError, match="2h"):
        read_videos(as_bytes({"window": "2h", "videos": [VIDEO]}))


def test_a_plan_needs_no_views() -> None:
    plan = {"author": "ann", "description": "a plan", "durationSeconds": 20}
    assert read_videos(as_bytes(plan), Window.PUBLISH).videos == [plan]


@pytest.mark.parametrize("given", [b"[]", b'{"videos": []}'])
def test_no_video_is_an_error(given: bytes) -> None:
    with pytest.raises(RequestError, match="no video"):
        read_videos(given)


@pytest.mark.parametrize(
    "given", [b"", b"hello", b"{", b"7", b'{"colour": "red"}', b'[{"colour": "red"}]', b"\x80\x05N."]
)
def test_what_is_neither_is_an_error_that_shows_a_request(given: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        read_videos(given)
    assert '{"videos": [' in caught.value.hint


def test_a_path_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.json", tmp_path):
        with pytest.raises(SourceError, match=path.name):
            read_videos(path)
