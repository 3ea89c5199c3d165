"""Damaged, foreign and missing files are one clear error; a damaged line is one broken line."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from groundswell.errors import SourceError
from groundswell.frames import RawChunk
from groundswell.sources import open_export
from tests.unit.sources.samples import READINGS, write_array, write_lines

ROW = {"id": "71", "views": 10, "likes": 1, "author": "ann"}


def everything(path: Path) -> list[RawChunk]:
    return list(open_export(path).chunks())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n\n", "is empty"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (b"%PDF-1.7\n...", "PDF"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "PNG"),
        (b"<!doctype html><html></html>", "HTML"),
        (b"  <?xml version='1.0'?><a/>", "HTML or XML"),
        (b"PK\x03\x04....", "zip"),
        (b'{"foo": 1}', "no known export format"),
        (b'[{"foo": 1}, {"bar": 2}]', "no known export format"),
        (b'{"foo": 1}\n{"foo": 2}\n', "no known export format"),
        (b'{"id": 1, "title": "an issue", "comments": 3}\n', "no known export format"),
        (b"name,age,city\nann,30,Rome\n", "no known export format"),
        (b"just some prose about nothing", "no known export format"),
        (b"[]", "holds no rows"),
        (b'{"data": {"videos": []}}', "holds no rows"),
        (b"[1, 2, 3]", "holds no rows"),
        (b"\x00\x01\x02\xff\xfe\xfd" * 100, "not text in UTF-8"),
        ("id;views;caption\n1;2;é\n".encode("latin-1"), "not text in UTF-8"),
        (b"PAR1 and nothing more", "damaged or truncated Parquet"),
        (b"\x1f\x8b\x08 not gzip at all", "gzip"),
    ],
)
def test_what_is_no_export(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "export.json"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        everything(path)
    assert str(path) in str(caught.value)
    assert caught.value.hint


def test_a_missing_path_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        open_export(tmp_path / "nowhere.json")
    with pytest.raises(SourceError, match="cannot be read"):
        open_export(tmp_path / ("x" * 5000))
    with pytest.raises(SourceError, match="is not a file"):
        open_export(tmp_path)


@pytest.mark.parametrize("cut", [1, 10, 200])
@pytest.mark.parametrize("name", ["lines", "array", "gzip", "parquet"])
def test_a_truncated_file(tmp_path: Path, name: str, cut: int) -> None:
    rows = [ROW | {"id": str(number)} for number in range(500)]
    path = tmp_path / ("export.gz" if name == "gzip" else "export")
    if name == "array":
        write_array(path, rows)
    elif name == "parquet":
        pl.DataFrame(rows).write_parquet(path)
    else:
        write_lines(path, rows)
    whole = path.read_bytes().rstrip(b"\n")
    path.write_bytes(whole[:-cut])
    with pytest.raises(SourceError, match=r"truncated|not complete"):
        everything(path)


def test_a_truncated_csv(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text("id,views,likes\n1,2,1\n2,3")
    with pytest.raises(SourceError, match="breaks off within line 3"):
        everything(path)
    path.write_text('id,views,caption\n1,2,"an open quote\n2,3,x\n')
    with pytest.raises(SourceError, match="breaks off within the row of line 2"):
        everything(path)


def test_lines_need_no_last_line_break(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "export", [ROW, ROW])
    path.write_bytes(path.read_bytes().rstrip())
    assert [len(chunk.lines) for chunk in everything(path)] == [2]


def test_broken_lines_among_whole_ones(tmp_path: Path) -> None:
    path = tmp_path / "export"
    path.write_bytes(
        b'oops\n{"id": "1", "views": 5}\n\n{"id": "2", "vie\n[1]\n"text"\n{"id": "3", "views": NaN}\n\xff\xfe{}\n'
    )
    (chunk,) = everything(path)
    assert chunk.lines == [2, 7]
    assert [(broken.line, broken.reason) for broken in chunk.broken] == [
        (1, "invalid_json"),
        (4, "invalid_json"),
        (5, "not_an_object"),
        (6, "not_an_object"),
        (8, "invalid_json"),
    ]


def test_a_first_line_that_is_broken_json(tmp_path: Path) -> None:
    path = tmp_path / "export"
    path.write_bytes(b'{"id": "1", "vie\n{"id": "2", "views": 5}\n')
    (chunk,) = everything(path)
    assert (chunk.lines, [broken.line for broken in chunk.broken]) == ([2], [1])


def test_items_of_an_array_that_are_no_objects(tmp_path: Path) -> None:
    (chunk,) = everything(write_array(tmp_path / "export", [ROW, 7, None, ROW]))
    assert chunk.lines == [1, 4]
    assert [(broken.line, broken.value, broken.reason) for broken in chunk.broken] == [
        (2, "7", "not_an_object"),
        (3, "None", "not_an_object"),
    ]


def test_rows_of_another_width_in_a_csv(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text('id,views,likes\n1,2,1\n\n2,3\n3,4,1,9\n"4"x,5,1\n5,"6\n",1\n6,7,1\n')
    (chunk,) = [chunk for chunk in everything(path) if chunk.lines]
    assert chunk.lines == [2, 7, 9]
    assert [(broken.line, broken.reason) for broken in chunk.broken] == [
        (4, "wrong_field_count"),
        (5, "wrong_field_count"),
        (6, "invalid_csv"),
    ]


def test_a_field_of_ten_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(f"id,views,caption\n1,2,{'x' * 10_000_000}\n")
    (chunk,) = [chunk for chunk in everything(path) if chunk.lines]
    assert len(chunk.columns["description"][0]) == 10_000_000


def test_a_first_line_of_ten_megabytes(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "export", [ROW | {"caption": "x" * 10_000_000}, ROW])
    assert [chunk.lines for chunk in everything(path)] == [[1, 2]]


def test_a_table_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text("id,views,likes\n")
    assert sum(len(chunk.lines) for chunk in everything(path)) == 0
    pl.DataFrame(schema={"id": pl.String, "views": pl.Int64}).write_parquet(path)
    assert sum(len(chunk.lines) for chunk in everything(path)) == 0


@pytest.mark.parametrize("name", ["lines", "array", "parquet", "csv"])
def test_chunks_keep_the_order_and_the_lines(tmp_path: Path, name: str) -> None:
    rows = [{"id": str(number), "views": number} for number in range(25)]
    path = tmp_path / "export"
    writers: dict[str, Callable[[], object]] = {
        "lines": lambda: write_lines(path, rows),
        "array": lambda: write_array(path, rows),
        "parquet": lambda: pl.DataFrame(rows).write_parquet(path),
        "csv": lambda: pl.DataFrame(rows).write_csv(path),
    }
    writers[name]()
    chunks = list(open_export(path).chunks(size=10))
    assert max(len(chunk.lines) for chunk in chunks) == 10
    first = 2 if name == "csv" else 1
    assert [line for chunk in chunks for line in chunk.lines] == list(range(first, first + 25))
    assert [int(views) for chunk in chunks for views in chunk.columns["views"]] == list(range(25))


def test_deeply_nested_json_is_broken_not_fatal(tmp_path: Path) -> None:
    path = tmp_path / "export"
    deep = "[" * 5000 + "]" * 5000
    path.write_text(json.dumps(ROW) + f'\n{{"id": {deep}}}\n' + json.dumps(READINGS[0]) + "\n")
    (chunk,) = everything(path)
    assert chunk.lines == [1, 3]
    assert [broken.reason for broken in chunk.broken] == ["invalid_json"]
