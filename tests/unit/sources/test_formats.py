"""Every format says the same of the same videos, in every container, without being named."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from groundswell.errors import SourceError
from groundswell.records import as_json
from groundswell.sources import FORMATS, open_export
from groundswell.stages.ingest import clean
from tests.unit.sources.samples import EXPECTED, LACKING, READINGS, VIDEOS, write_array, write_lines

AS_OF = datetime(2025, 2, 1, tzinfo=UTC)


def write_wrapped(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text(json.dumps({"data": {"videos": list(rows), "has_more": False}, "error": {}}), encoding="utf-8")
    return path


def write_indented(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text(json.dumps(list(rows), indent=2), encoding="utf-8")
    return path


def write_zipped(path: Path, rows: Sequence[Any]) -> Path:
    return write_lines(path.with_suffix(".gz"), rows)


def write_csv(path: Path, rows: list[dict[str, Any]], delimiter: str = ",") -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, names, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def cleaned(path: Path, format: str = "auto") -> pl.DataFrame:  # noqa: A002
    frames = []
    for chunk in open_export(path, format).chunks():
        result = clean(chunk, path.name, AS_OF)
        assert result.rejections == []
        frames.append(result.frame)
    return pl.concat(frames)


def assert_expected(frame: pl.DataFrame, name: str) -> None:
    for column, values in EXPECTED.items():
        if column in LACKING.get(name, ()):
            assert frame[column].null_count() == 2
        elif column == "posted_at":
            assert frame[column].dt.epoch("s").to_list() == values
        else:
            assert frame[column].to_list() == values, column
    assert frame["platform"].to_list() == ["tiktok", "tiktok"]


@pytest.mark.parametrize("write", [write_array, write_lines, write_wrapped, write_indented, write_zipped])
@pytest.mark.parametrize("name", VIDEOS)
def test_json_of_every_format(tmp_path: Path, name: str, write: Callable[[Path, Sequence[Any]], Path]) -> None:
    path = write(tmp_path / "export.txt", VIDEOS[name])
    assert open_export(path).format == name
    assert open_export(path).kind == "videos"
    assert_expected(cleaned(path), name)


def test_item_struct_in_its_page_wrapper(tmp_path: Path) -> None:
    rows = [{"itemInfo": {"itemStruct": row}, "statusCode": 0} for row in VIDEOS["item_struct"]]
    path = write_lines(tmp_path / "page.jsonl", rows)
    assert open_export(path).format == "item_struct"
    assert_expected(cleaned(path), "item_struct")


@pytest.mark.parametrize("separator", [".", "/"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_clockworks_flattened_into_csv(tmp_path: Path, separator: str, delimiter: str) -> None:
    rows = [_flat(row, separator) for row in VIDEOS["clockworks"]]
    assert_expected(cleaned(write_csv(tmp_path / "export.csv", rows, delimiter)), "clockworks")


def test_canonical_csv_with_a_mark_blank_fields_and_a_caption_over_two_lines(tmp_path: Path) -> None:
    rows = [row | {"hashtags": ",".join(row["hashtags"])} for row in VIDEOS["canonical"]]
    rows[0]["Caption"] = "two\r\nlines"
    path = write_csv(tmp_path / "export.csv", rows)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    frame = cleaned(path)
    assert frame["description"].to_list() == ["two\r\nlines", "second"]
    assert frame["views"].to_list() == [1000, None]
    assert frame["line"].to_list() == [2, 4]


def test_excel_unicode_text(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "export.csv", [row | {"hashtags": "fyp"} for row in VIDEOS["canonical"]], "\t")
    path.write_bytes(path.read_text().encode("utf-16"))
    assert cleaned(path)["author"].to_list() == ["ann", "bob"]


@pytest.mark.parametrize("name", ["clockworks", "tiktok_10m", "canonical"])
def test_parquet(tmp_path: Path, name: str) -> None:
    path = tmp_path / "export.parquet"
    rows = [row | ({"collectCount": int(row["collectCount"])} if name == "clockworks" else {}) for row in VIDEOS[name]]
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(path)
    assert open_export(path).format == name
    assert_expected(cleaned(path), name)


def test_ids_stay_whole(tmp_path: Path) -> None:
    rows = [{"id": 9007199254740993, "views": 1}, {"id": 7100000000000000001, "views": 2}]
    for path in (write_lines(tmp_path / "a", rows), write_array(tmp_path / "b", rows)):
        assert cleaned(path)["platform_video_id"].to_list() == ["9007199254740993", "7100000000000000001"]


@pytest.mark.parametrize("write", [write_array, write_lines, write_csv])
def test_readings(tmp_path: Path, write: Callable[[Path, Any], Path]) -> None:
    path = write(tmp_path / "export", READINGS)
    assert (open_export(path).format, open_export(path).kind) == ("readings", "readings")
    frame = cleaned(path)
    assert frame["views"].to_list() == [1500, 800]
    assert frame["likes"].to_list() == [150, None]
    assert [as_json(value) for value in frame["scraped_at"]] == ["2025-01-03T00:00:00Z", "2025-01-03T01:00:00Z"]


def test_one_more_column_makes_videos_of_readings(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "export", [row | {"author": "ann"} for row in READINGS])
    assert open_export(path).kind == "videos"
    assert open_export(write_lines(tmp_path / "bare", READINGS), "canonical").kind == "videos"


def test_an_id_of_our_own_is_no_substitute_for_the_videos(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "export", [{"id": "row-1", "platform_video_id": None, "views": 5, "likes": 1}])
    (chunk,) = open_export(path).chunks()
    (rejection,) = clean(chunk, "export", AS_OF).rejections
    assert (rejection.field, rejection.reason) == ("platform_video_id", "missing_id")


def test_rows_without_any_id_are_refused_one_by_one(tmp_path: Path) -> None:
    rows = [{"url": "https://example.invalid/video/71", "views": 5, "likes": 1, "author": "ann", "caption": "x"}] * 2
    (chunk,) = open_export(write_lines(tmp_path / "export", rows)).chunks()
    assert [r.reason for r in clean(chunk, "export", AS_OF).rejections] == ["missing_id", "missing_id"]


@pytest.mark.parametrize("name", VIDEOS)
def test_a_format_that_is_not_the_files(tmp_path: Path, name: str) -> None:
    path = write_lines(tmp_path / "export", VIDEOS[name])
    assert open_export(path, name).format == name
    with pytest.raises(SourceError, match="is not in the format 'readings'"):
        open_export(path, "readings")


def test_an_unknown_format_names_the_known_ones(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "export", VIDEOS["canonical"])
    with pytest.raises(SourceError, match="no format 'excel'") as caught:
        open_export(path, "excel")
    assert all(name in caught.value.hint for name in FORMATS)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("exports/apify_clockworks.json", "clockworks"),
        ("exports/apify_apidojo.jsonl", "apidojo"),
        ("exports/research_api.json", "research_api"),
        ("exports/web_item_struct.jsonl", "item_struct"),
        ("exports/tiktok_10m.parquet", "tiktok_10m"),
        ("tiktok_videos.parquet", "canonical"),
        ("tiktok_snapshots.parquet", "readings"),
    ],
)
def test_real_exports_are_recognised_and_clean(real_data: Path, file: str, name: str) -> None:
    export = open_export(real_data / file)
    assert export.format == name
    rows = refused = 0
    for chunk in export.chunks():
        rows += len(chunk.lines)
        refused += len(clean(chunk, file, datetime(2027, 1, 1, tzinfo=UTC)).rejections)
    assert rows >= 500
    assert refused == 0


def _flat(row: dict[str, Any], separator: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{key}{separator}{inner}": item for inner, item in value.items()}
        elif key == "hashtags":
            flat |= {f"hashtags{separator}{at}{separator}name": tag["name"] for at, tag in enumerate(value)}
        else:
            flat[key] = value
    return flat
