"""`wldetect detect`: every way to give it text, and what it does with text that is odd, endless or not text."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import pytest

from wldetect.cli import detect

from .project import Fails, Run

LABELS = ["deu_Latn", "eng_Latn"]
WORDS = {"der": [4.0, 0.0], "the": [0.0, 4.0], "\u00fcber": [3.0, 0.0]}
# exp(4) / (exp(4) + 1), and with 3 in place of 4, as the tables keep both numbers exactly.
SURE, LESS_SURE = "0.9820", "0.9526"
Spawn = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def model(make_model_dir: Callable[..., Path]) -> str:
    return str(make_model_dir(LABELS, WORDS))


class Terminal(io.BytesIO):
    """Standard input with bytes in it, at a terminal or not."""

    def __init__(self, content: bytes, tty: bool = False) -> None:
        super().__init__(content)
        self._tty = tty

    @property
    def buffer(self) -> Terminal:
        return self

    def isatty(self) -> bool:
        return self._tty


def test_texts(model: str, run: Run) -> None:
    texts = [part for text in ("der", "the", "", "perhaps", "\u00fcber") for part in ("--text", text)]
    outcome = run("detect", "--model-path", model, *texts)
    lines = [f"deu_Latn\t{SURE}", f"eng_Latn\t{SURE}", "-\t", "-\t", f"deu_Latn\t{LESS_SURE}"]
    assert (outcome.status, outcome.out, outcome.err) == (0, "".join(f"{line}\n" for line in lines), "")


def test_json_lines(model: str, run: Run) -> None:
    texts = ["der", 'a "quoted"\ttab\nnewline', "\u00fcber \u2028", "\0"]
    arguments = [part for text in texts for part in ("--text", text)]
    outcome = run("detect", "--model-path", model, "--format", "jsonl", *arguments)
    assert outcome.status == 0
    # Only newlines separate the objects, whatever else is in the texts.
    rows = [json.loads(line) for line in outcome.out.rstrip("\n").split("\n")]
    assert [row["text"] for row in rows] == texts
    assert [row["language"] for row in rows] == ["deu_Latn", None, "deu_Latn", None]
    assert rows[0]["probability"] == pytest.approx(0.982014, abs=1e-6)
    assert rows[1]["probability"] is None
    assert [list(row) for row in rows] == [["language", "probability", "text"]] * 4
    assert "\u00fcber" in outcome.out


@pytest.mark.parametrize("table", ["e4m3fn", "float32"])
def test_tables(table: str, make_model_dir: Callable[..., Path], run: Run, fails: Fails) -> None:
    path = make_model_dir(LABELS, WORDS)
    fails(["detect", "--model-path", str(path), "--table", table, "--text", "der"], path, table)
    make_model_dir(LABELS, {word: logits[::-1] for word, logits in WORDS.items()}, dtype=table)
    outcome = run("detect", "--model-path", str(path), "--table", table, "--text", "der")
    assert outcome.out == f"eng_Latn\t{SURE}\n"
    assert run("detect", "--model-path", str(path), "--text", "der").out == f"deu_Latn\t{SURE}\n"


ODD = "\ufeffder\r\nthe\n\nder the the\rder\n\0der\n\u00fcber\u2028\u00fcber\r\n\r\nlast"


def odd_lines() -> list[str]:
    return ["der", "the", "", "der the the\rder", "\0der", "\u00fcber\u2028\u00fcber", "", "last"]


@pytest.mark.parametrize("way", ["file", "stdin", "terminal"])
def test_odd_lines(way: str, model: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte order mark, CRLF, empty lines, lone CR, NUL, other separators, and no newline at the end."""
    (tmp_path / "odd.txt").write_bytes(ODD.encode())
    monkeypatch.setattr(sys, "stdin", Terminal(ODD.encode(), tty=way == "terminal"))
    source = ["--file", str(tmp_path / "odd.txt")] if way == "file" else ["-"]
    outcome = run("detect", "--model-path", model, "--format", "jsonl", *source)
    assert (outcome.status, outcome.err) == (0, "")
    rows = [json.loads(line) for line in outcome.out.split("\n")[:-1]]
    assert [row["text"] for row in rows] == odd_lines()
    by_text = run("detect", "--model-path", model, *[part for line in odd_lines() for part in ("--text", line)])
    tsv = run("detect", "--model-path", model, "--file", str(tmp_path / "odd.txt"))
    assert tsv.out == by_text.out
    assert len(tsv.out.split("\n")) == len(odd_lines()) + 1


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf"])
def test_empty_file(content: bytes, model: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_bytes(content)
    outcome = run("detect", "--model-path", model, "--file", str(tmp_path / "empty.txt"))
    # A byte order mark is a line of its own, though an empty one.
    assert (outcome.status, outcome.out, outcome.err) == (0, "-\t\n" if content else "", "")


def test_very_long_line(model: str, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_bytes(b"the\n" + b"der " * 500_000 + b"\nthe")
    outcome = run("detect", "--model-path", model, "--file", str(path))
    assert outcome.out == f"eng_Latn\t{SURE}\ndeu_Latn\t{SURE}\neng_Latn\t{SURE}\n"


def test_more_lines_than_a_batch(model: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detect, "_BATCH", 3)
    for count in (1, 2, 3, 4, 6, 7):
        (tmp_path / "lines.txt").write_text("the\n" * (count - 1) + "der\n", encoding="utf-8")
        for threads in ([], ["--threads", "2"]):
            outcome = run("detect", "--model-path", model, "--file", str(tmp_path / "lines.txt"), *threads)
            assert outcome.out == f"eng_Latn\t{SURE}\n" * (count - 1) + f"deu_Latn\t{SURE}\n"


@pytest.mark.parametrize(
    ("content", "line", "byte"),
    [
        (b"gut\nsch\xf6n\n", 2, "f6"),
        (b"\xff\xfed\0e\0", 1, "ff"),
        (b"ok\n" * 5000 + b"\xc3", 5001, "c3"),
        (b"\xef\xbb\xbfok\n\xe2\x82\n", 2, "e2"),
    ],
)
@pytest.mark.parametrize("way", ["file", "stdin"])
def test_not_utf8(
    content: bytes,
    line: int,
    byte: str,
    way: str,
    model: str,
    fails: Fails,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    monkeypatch.setattr(sys, "stdin", Terminal(content))
    name, source = (path, ["--file", str(path)]) if way == "file" else ("standard input", ["-"])
    message = fails(["detect", "--model-path", model, *source])
    assert message.startswith(f"{name}: line {line}: expected UTF-8, found byte 0x{byte} (")


def test_file_that_is_not_there(model: str, fails: Fails, tmp_path: Path) -> None:
    path = tmp_path / "none.txt"
    assert fails(["detect", "--model-path", model, "--file", str(path)]) == f"{path}: No such file or directory"
    assert fails(["detect", "--model-path", model, "--file", str(tmp_path)]).startswith(f"{tmp_path}: ")


def test_lone_surrogates(model: str, run: Run) -> None:
    """What a shell passes on that is not UTF-8."""
    outcome = run("detect", "--model-path", model, "--format", "jsonl", "--text", "der \udcff")
    row = json.loads(outcome.out)
    assert (row["language"], row["text"]) == ("deu_Latn", "der ?")


def test_output_is_utf8_in_any_locale(model: str, spawn: Spawn) -> None:
    environment = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    process = spawn("detect", "--model-path", model, "--format", "jsonl", "-", env=environment)
    out, err = process.communicate("\u00fcber".encode(), timeout=60)
    assert (process.returncode, err) == (0, b"")
    assert json.loads(out.decode("utf-8"))["text"] == "\u00fcber"
    assert "\u00fcber".encode() in out


def answers_in_time(pipe: Any, count: int) -> list[bytes]:
    """The first ``count`` lines of ``pipe``, while whoever writes to the process still could."""
    lines: Queue[bytes] = Queue()

    def read() -> None:
        for _ in range(count):
            lines.put(pipe.readline())

    threading.Thread(target=read, daemon=True).start()
    try:
        return [lines.get(timeout=60) for _ in range(count)]
    except Empty:
        pytest.fail("no answer before the end of the input")


def test_stdin_is_streamed(model: str, spawn: Spawn) -> None:
    process = spawn("detect", "--model-path", model, "-")
    assert process.stdin is not None
    # The last answers do not fill a buffer that would then be written anyway.
    process.stdin.write(b"\n" * 100 + b"der\n" * (detect._BATCH - 100))
    process.stdin.flush()
    expected = [b"-\t\n"] * 100 + [f"deu_Latn\t{SURE}\n".encode()] * (detect._BATCH - 100)
    assert answers_in_time(process.stdout, detect._BATCH) == expected
    process.stdin.write(b"the\n")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, f"eng_Latn\t{SURE}\n".encode(), b"")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_file_is_streamed(model: str, spawn: Spawn, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    process = spawn("detect", "--model-path", model, "--file", str(path))
    with path.open("wb") as pipe:
        pipe.write(b"der\n" * detect._BATCH + b"the\n")
        pipe.flush()
        assert len(answers_in_time(process.stdout, detect._BATCH)) == detect._BATCH
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, f"eng_Latn\t{SURE}\n".encode(), b"")


def test_reader_that_goes_away(model: str, spawn: Spawn, tmp_path: Path) -> None:
    (tmp_path / "many.txt").write_text("der\n" * 200_000, encoding="utf-8")
    process = spawn("detect", "--model-path", model, "--file", "many.txt")
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline() == f"deu_Latn\t{SURE}\n".encode()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 0


@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
def test_head(model: str, tmp_path: Path) -> None:
    (tmp_path / "few.txt").write_text("der\nthe\nder\n", encoding="utf-8")
    command = f"'{sys.executable}' -m wldetect detect --model-path '{model}' --file few.txt | head -1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, cwd=tmp_path, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"deu_Latn\t{SURE}\n".encode(), b"")


def test_unknown_languages(make_model_dir: Callable[..., Path], run: Run) -> None:
    calibration = {"all": {"inverse_temperatures": [1.0], "thresholds": {"deu_Latn": 0.96}}}
    more = {"calibration": json.dumps(calibration), "hidden_languages": '["eng_Latn"]'}
    model = str(make_model_dir(LABELS, WORDS, more=more))
    texts = ["--text", "der", "--text", "\u00fcber", "--text", "the"]
    for options, codes in (
        ([], ["deu_Latn", "und", "und"]),
        (["--report-hidden"], ["deu_Latn", "und", "eng_Latn"]),
        (["--threshold", "0"], ["deu_Latn", "deu_Latn", "und"]),
        (["--threshold", "1", "--report-hidden"], ["und", "und", "und"]),
    ):
        outcome = run("detect", "--model-path", model, *texts, *options)
        shares = zip(codes, [SURE, LESS_SURE, SURE], strict=True)
        assert outcome.out == "".join(f"{code}\t{share}\n" for code, share in shares)
    outcome = run("detect", "--model-path", model, "--format", "jsonl", "--text", "the")
    assert json.loads(outcome.out) == {"language": "und", "probability": pytest.approx(0.982, abs=1e-3), "text": "the"}
    for wrong in ("-1", "1.5", "nan", "x"):
        with pytest.raises(SystemExit):
            run("detect", "--model-path", model, "--text", "the", f"--threshold={wrong}")
