"""What the README and docs/ tell readers to type: commands that parse, keys and files that exist, links that lead."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from wldetect.cli import _parser
from wldetect.config import ModelConfig, TrainingConfig, load_training_config, parse_override
from wldetect.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "artifacts" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^]]*\]\(([^)#\s]+)(#[^)\s]*)?\)")


def blocks(page: Path, *kinds: str) -> Iterator[str]:
    for kind, text in _FENCE.findall(page.read_text(encoding="utf-8")):
        if kind in kinds:
            yield text


def commands() -> list[tuple[str, list[str]]]:
    """Page and words of every command in a block of shell, or in the text between backquotes."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        lines = [line for block in blocks(page, "sh") for line in block.replace("\\\n", " ").splitlines()]
        lines += re.findall(r"`(wldetect [a-z]+ -[^`]*)`", _FENCE.sub("", text))
        for line in lines:
            # What is piped into a command is not this project's.
            words = shlex.split(line.rpartition("|")[2], comments=True)
            if words:
                found.append((page.name, words))
    return found


COMMANDS = [pytest.param(page, words, id=f"{page}: {' '.join(words)}"[:120]) for page, words in commands()]


@pytest.mark.parametrize(("page", "words"), COMMANDS)
def test_commands_parse(page: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    if "-m" in words and words[words.index("-m") + 1] == "wldetect":
        words = words[words.index("-m") + 1 :]
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert words[1] in targets
    elif words[0] == "python" and words[1].endswith(".py"):
        script = (ROOT / words[1]).read_text(encoding="utf-8")
        for option in (word for word in words if word.startswith("--")):
            assert f'"{option}"' in script or words[1].startswith("scripts/analysis/"), option
    elif words[0] == "wldetect":
        try:
            options = _parser().parse_args(words[1:])
        except SystemExit as end:
            assert end.code == 0, capsys.readouterr().err
            return
        config = getattr(options, "config", None)
        # `my.yaml` stands for a file of the reader's; all others are here.
        if config is not None and config.name != "my.yaml":
            load_training_config(ROOT / config, dict(parse_override(text) for text in options.set))


def test_there_are_commands_to_check() -> None:
    assert sum(words[0] == "wldetect" for _, words in commands()) > 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_configurations_are_valid(page: Path) -> None:
    for block in blocks(page, "yaml"):
        content = yaml.safe_load(block)
        if "model" in content or "models" in content:
            ModelConfig.model_validate({"languages": {"deu_Latn": 0}, **content})
        elif "model_config_path" in content:
            TrainingConfig.model_validate(content)
        else:
            # A part of a training file.
            required = {"model_config_path": "m.yaml", "dataset": {"name": "d"}, "output": {"artifacts_dir": "a"}}
            TrainingConfig.model_validate({**required, **content})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        if "://" in target:
            continue
        place = (page.parent / target).resolve()
        assert place.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", place.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor[1:] in {re.sub(r"[^\w -]", "", name).lower().replace(" ", "-") for name in headings}, anchor


def test_a_wrong_key_would_be_found() -> None:
    with pytest.raises(ConfigError):
        load_training_config(ROOT / "configs" / "training" / "starter.yaml", {"training.epochs": 3})
