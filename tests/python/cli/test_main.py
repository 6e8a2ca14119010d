"""What all commands share: help, versions, and how they end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import wldetect
from wldetect.cli import detect, main
from wldetect.cli.options import thread_count
from wldetect.errors import DataError

from .project import Run

Process = Callable[..., "subprocess.CompletedProcess[bytes]"]


def exits(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert isinstance(caught.value.code, int)
    return caught.value.code, *capsys.readouterr()


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert exits(capsys, "--version") == (0, f"wldetect {wldetect.__version__}\n", "")


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = exits(capsys, "--help")
    assert (status, err) == (0, "")
    assert all(name in out for name in ("detect", "train", "eval", "with examples"))


@pytest.mark.parametrize("name", ["detect", "train", "eval", "calibrate"])
def test_help_of_commands(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = exits(capsys, name, "--help")
    assert (status, err) == (0, "")
    examples = out.split("examples:\n", 1)[1]
    assert examples.count(f"\n  wldetect {name} ") + examples.startswith(f"  wldetect {name}") >= 2


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["detect", "--model-path", "m"],
        ["detect", "--model-path", "m", "--text", "x", "-"],
        ["detect", "--model-path", "m", "--text", "x", "--file", "f"],
        ["detect", "--model-path", "m", "--text", "x", "--format", "xml"],
        ["detect", "--model-path", "m", "--text", "x", "--table", "int8"],
        ["train", "--epochs", "3"],
    ],
)
def test_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = exits(capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("usage: wldetect")


@pytest.mark.parametrize("threads", ["0", "-1", "two", "1.5", "", "1025", "99999999999999999999999", "1_0", "\u0663"])
def test_number_of_threads(threads: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["detect", "--model-path", "m", "--text", "x"], ["eval", "--model-path", "m"]):
        status, _, err = exits(capsys, *arguments, f"--threads={threads}")
        assert status == 2
        assert err.endswith(f"argument --threads: expected 1 to 1024 threads, found {threads!r}\n")


def test_accepted_numbers_of_threads() -> None:
    assert [thread_count(text) for text in ("1", "16", "1024")] == [1, 16, 1024]


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (DataError("d: not good"), 2, "wldetect: error: d: not good"),
        (DataError("two\nlines\r\nand more"), 2, "wldetect: error: two lines and more"),
        (
            FileNotFoundError(2, "No such file or directory", "x.txt"),
            2,
            "wldetect: error: x.txt: No such file or directory",
        ),
        (FileNotFoundError(2, "No such file", "two\nlines"), 2, "wldetect: error: two lines: No such file"),
        (OSError("full"), 2, "wldetect: error: full"),
        (OSError(28, "No space left on device"), 2, "wldetect: error: [Errno 28] No space left on device"),
        (KeyboardInterrupt(), 130, "wldetect: interrupted"),
    ],
)
def test_errors_are_one_line(
    error: BaseException, status: int, line: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> int:
        raise error

    monkeypatch.setattr(detect, "run", fail)
    outcome = run("detect", "--model-path", "m", "--text", "x")
    assert (outcome.status, outcome.out, outcome.err) == (status, "", line + "\n")


def test_faults_of_the_program_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> int:
        raise AssertionError("a bug")

    monkeypatch.setattr(detect, "run", fail)
    with pytest.raises(AssertionError, match="a bug"):
        main(["detect", "--model-path", "m", "--text", "x"])


def test_module(process: Process) -> None:
    done = process("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"wldetect {wldetect.__version__}\n".encode(), b"")
    assert process().returncode == 2


def test_module_fails_with_one_line(process: Process) -> None:
    done = process("detect", "--model-path", "missing", "--text", "x")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"wldetect: error: missing")
    assert done.stderr.count(b"\n") == 1


def test_detecting_imports_nothing_heavy(make_model_dir: Callable[..., Path]) -> None:
    model = make_model_dir(["a", "b"], {"ja": [4.0, 0.0]})
    heavy = "{'torch', 'numpy', 'yaml', 'pydantic', 'datasets', 'pyarrow', 'tokenizers', 'matplotlib'}"
    program = (
        f"import sys; from wldetect.cli import main; main(['detect', '--model-path', {str(model)!r}, '--text', 'ja']);"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["a\t0.9820", "[]"]


def test_reader_that_is_gone_at_the_end() -> None:
    """What a command prints may still wait in the buffer when it has done its work."""
    program = (
        "import sys; from wldetect.cli import detect, main; detect.run = lambda _: print(input()) or 0;"
        "sys.exit(main(['detect', '--model-path', 'm', '-']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdout.close()
    process.stdin.write(b"late\n")
    process.stdin.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 0
    process.stderr.close()
