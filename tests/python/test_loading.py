"""Loading: the compiled tokenizer is used, made again where it is missing or stale, and never needed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wldetect import WLDetect, _core
from wldetect.export import writer

COMPILED = _core.COMPILED_TOKENIZER
TEXTS = ["ja", "no no", "<bos>", "", "ja\nno", "xyz"]


def test_the_compiled_tokenizer_is_written_by_the_first_load(bpe_model_dir: Path) -> None:
    assert not (bpe_model_dir / COMPILED).exists()
    expected = WLDetect.load(bpe_model_dir).predict(TEXTS)
    compiled = (bpe_model_dir / COMPILED).read_bytes()
    # Nothing but the compiled form and the table is read from here on.
    definition = bpe_model_dir / "tokenizer.json"
    text = definition.read_bytes()
    definition.unlink()
    assert WLDetect.load(bpe_model_dir).predict(TEXTS) == expected
    definition.write_bytes(text)
    for spoilt in (b"", compiled[:-1], compiled[:500] + b"?" + compiled[501:], text):
        (bpe_model_dir / COMPILED).write_bytes(spoilt)
        assert WLDetect.load(bpe_model_dir).predict(TEXTS) == expected
        assert (bpe_model_dir / COMPILED).read_bytes() == compiled


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_directory_that_cannot_be_written_loads(bpe_model_dir: Path) -> None:
    expected = WLDetect.load(bpe_model_dir).predict(TEXTS)
    (bpe_model_dir / COMPILED).unlink()
    bpe_model_dir.chmod(0o555)
    try:
        assert WLDetect.load(bpe_model_dir).predict(TEXTS) == expected
        assert not (bpe_model_dir / COMPILED).exists()
    finally:
        bpe_model_dir.chmod(0o755)


def test_export_writes_what_loading_would(bpe_model_dir: Path, tmp_path: Path) -> None:
    definition = (bpe_model_dir / "tokenizer.json").read_text(encoding="utf-8")
    (tmp_path / COMPILED).write_bytes(b"of an earlier model")
    written = writer._write_tokenizer(tmp_path, definition)
    assert written == [tmp_path / "tokenizer.json", tmp_path / COMPILED]
    WLDetect.load(bpe_model_dir)
    assert (tmp_path / COMPILED).read_bytes() == (bpe_model_dir / COMPILED).read_bytes()


def test_tokenizers_of_the_library_have_no_compiled_form(make_model_dir: Callable[..., Path], tmp_path: Path) -> None:
    model_dir = make_model_dir(["a", "b"], {"ja": [1.0, 0.0], "no": [0.0, 1.0]})
    definition = (model_dir / "tokenizer.json").read_text(encoding="utf-8")
    (tmp_path / COMPILED).write_bytes(b"of an earlier model")
    assert writer._write_tokenizer(tmp_path, definition) == [tmp_path / "tokenizer.json"]
    assert not (tmp_path / COMPILED).exists()
    WLDetect.load(model_dir)
    assert not (model_dir / COMPILED).exists()


def test_a_compiled_tokenizer_that_cannot_be_written_is_an_os_error(bpe_model_dir: Path, tmp_path: Path) -> None:
    tokenizer = _core.Tokenizer((bpe_model_dir / "tokenizer.json").read_text(encoding="utf-8"))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        tokenizer.save_compiled(tmp_path / "nowhere" / COMPILED)
    directory = tmp_path / "model"
    (directory / COMPILED).mkdir(parents=True)
    with pytest.raises(OSError, match=COMPILED):
        tokenizer.save_compiled(directory / COMPILED)
    assert [path.name for path in directory.iterdir()] == [COMPILED]


PRINT_ANSWERS = """
import sys
from wldetect import WLDetect, _core
print(_core.kernel_level(), WLDetect.load(sys.argv[1]).predict(["ja", "no ja no", "<bos> ja"]))
"""


def answers(model: Path, level: str | None) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "WLDETECT_KERNEL"}
    if level is not None:
        environment["WLDETECT_KERNEL"] = level
    command = [sys.executable, "-c", PRINT_ANSWERS, str(model)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_kernel_level_can_be_forced_and_changes_no_answer(bpe_model_dir: Path) -> None:
    chosen = answers(bpe_model_dir, None).stdout.split(" ", 1)
    forced = answers(bpe_model_dir, "scalar").stdout.split(" ", 1)
    assert chosen[0] in {"scalar", "avx2", "avx512", "neon"}
    assert forced[0] == "scalar"
    assert chosen[1] == forced[1]
    assert "'a'" in chosen[1]
    wrong = answers(bpe_model_dir, "sse9")
    assert wrong.returncode == 1
    last = wrong.stderr.splitlines()[-1]
    assert last.startswith("ValueError: WLDETECT_KERNEL: expected one of scalar")
    assert last.endswith('found "sse9"')
