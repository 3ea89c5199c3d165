"""The documents say what the code does: references are made from it, and the examples run."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from groundswell.settings import Settings, variable
from tests.acceptance.process import EASY, Place, made_up, serving, shell_environment, write_export

ROOT = Path(__file__).resolve().parents[2]
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
#: What the examples may name without making it themselves.
EXAMPLES = ("export.json", "export.jsonl", "videos.jsonl")


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block: what stands behind the fence, and the lines in it."""

    info: tuple[str, ...]
    text: str

    @property
    def runs(self) -> bool:
        """Whether it is an example that a reader would paste: tagged `bash`, and not `bash no-run`.

        `bash postgres` runs beside a product's tables on PostgreSQL, `bash served` while a server of the place runs.
        """
        words = [line.split()[0] for line in self.text.splitlines() if line.strip() and not line.startswith("#")]
        plain = self.info == ("bash",) and "groundswell" in words and "make" not in words
        return plain or self.info in {("bash", "postgres"), ("bash", "served")}

    @property
    def needs(self) -> frozenset[str]:
        """What has to be there: `postgres`, `served` or nothing."""
        return frozenset(self.info[1:])


def blocks(text: str) -> Iterator[Block]:
    for found in _BLOCK.finditer(text):
        yield Block(tuple(found["info"].split()), found["text"])


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """The script docs/generate.py as a module."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["api.md", "commands.md", "features.md", "settings.md"])
def test_the_references_are_up_to_date(generate: ModuleType, name: str) -> None:
    committed = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert committed == generate.documents()[name], "run `python docs/generate.py`"


def test_every_command_and_option_is_in_the_reference(generate: ModuleType) -> None:
    sections = re.split(r"^## ", (ROOT / "docs" / "commands.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    written = {section.partition("\n")[0]: section for section in sections}
    known: dict[str, Any] = dict(generate.walk())
    assert set(written) == set(known)
    assert len(known) >= 15
    for path, command in known.items():
        for option in generate.options(command):
            assert f"`{option}" in written[path], f"{path} {option}"


def test_every_setting_is_in_the_reference() -> None:
    written = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    for name, field in Settings.model_fields.items():
        assert f"`{variable(name)}`" in written
        assert field.description in written if field.description else False, f"{name} has no sentence"


def test_links_between_documents_lead_somewhere() -> None:
    for path in DOCS:
        text = _BLOCK.sub("", path.read_text(encoding="utf-8"))
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_commands_named_in_the_documents_exist(generate: ModuleType) -> None:
    known = {path for path, _ in generate.walk()}
    named = re.compile(r"`groundswell ((?:models |calibrations |db |alerts )?[a-z]+)")
    for path in DOCS:
        for words in named.findall(path.read_text(encoding="utf-8")):
            assert f"groundswell {words}" in known, f"{path.name} names `groundswell {words}`"


def test_an_example_is_what_a_reader_would_paste() -> None:
    fences = (("bash", "groundswell retrain"), ("bash no-run", "groundswell serve"), ("bash", "make demo"), ("", "x"))
    text = "".join(f"```{info}\n{line}\n```\n" for info, line in fences)
    assert [block.runs for block in blocks(text)] == [True, False, False, False]


SECRETS = {"CRON_SECRET": "cron-secret-of-the-docs", "GROUNDSWELL_API_KEY": "api-key-of-the-docs"}


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_the_examples_run_in_order_in_a_fresh_home(path: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    examples = [block for block in blocks(path.read_text(encoding="utf-8")) if block.runs]
    if not examples:
        assert path.name != "README.md", "the README shows how it is used"
        return
    for name in EXAMPLES:
        write_export(tmp_path / name, made_up(600))
    environment = dict(EASY)
    if any("postgres" in block.needs for block in examples):
        environment["DATABASE_URL"] = request.getfixturevalue("product_url")
    with ExitStack() as stack:
        for block in examples:
            if "served" in block.needs and "URL" not in environment:
                place = Place(tmp_path, environment | SECRETS | _exported(examples))
                server = stack.enter_context(serving(place))
                environment |= {"URL": server.url, **SECRETS}
            _paste(path.name, block, tmp_path, environment)


def _exported(examples: list[Block]) -> dict[str, str]:
    """Return the home that the examples chose: a server must be of the same place."""
    homes = re.findall(r"^export (GROUNDSWELL_HOME)=(\S+)", "".join(block.text for block in examples), re.MULTILINE)
    return dict(homes)


def _paste(name: str, block: Block, folder: Path, environment: Mapping[str, str]) -> None:
    typed = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=folder,
        env=shell_environment({**environment, "PATH": f"{typed}{os.pathsep}{os.environ['PATH']}"}),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{name}:\n{block.text}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
