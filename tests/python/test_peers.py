"""The comparison with other detectors: what it prints and refuses. Nothing is installed or downloaded."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benches" / "peers"))

import bench
import compare
import environments
import texts
import worker
from adapters import Options, Peer, UnavailableError, peer_named
from codes import language_key, score
from record import slug
from report import Measured, Setting, as_json, as_markdown

import wldetect

MakeModel = Callable[..., Path]
SETTING = Setting(
    date="2026-01-02T03:04:05+00:00",
    cpu="Example CPU",
    cpus=2,
    system="Linux x86_64",
    kernel="scalar",
    commit="abc1234",
    python="3.12.1",
    data="dev.parquet",
    labels=2,
    texts=1000,
    n_bytes=200_000,
    repeat=2,
    command="python benches/peers/compare.py --data dev.parquet",
)


def a_run(wall: float, **others: Any) -> dict[str, Any]:
    run = {"texts": 1000, "bytes": 200_000, "wall_s": wall, "cpu_s": wall, "right": 90, "asked": 100,
           "import_s": 0.01, "load_s": 0.5, "memory": {"now": 50e6, "peak": 60e6}}  # fmt: skip
    return run | others


def measured(name: str, *runs: dict[str, Any]) -> Measured:
    peer = peer_named(name)
    versions = dict.fromkeys(peer.own or (name,), "1.2.3") | {"numpy": "2.0"}
    about = {
        "versions": versions,
        "sizes": {"own": 5e6, "dependencies": 70e6},
        "python": "3.12.1",
        "languages": ["deu"] * 60,
    }
    return Measured(peer, about=about, runs={1: list(runs)} if runs else {})


def row(table: str, name: str) -> list[str]:
    """The cells of the first row for ``name``."""
    line = next(line for line in table.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.fixture
def model(make_model_dir: MakeModel) -> Path:
    return make_model_dir(["eng_Latn", "spa_Latn"], {"one": [2.0, 0.0], "uno": [0.0, 2.0]})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [("one", "eng", "Latn"), ("uno", "spa", "Latn"), ("mot", "fra", "Latn")] * 20
    path = tmp_path / "dev.parquet"
    table = {"text": [text for text, _, _ in rows], "iso_639_3": [code for _, code, _ in rows],
             "iso_15924": [script for _, _, script in rows]}  # fmt: skip
    pq.write_table(pa.table(table), path)
    return path


def test_this_package_is_measured_and_recorded(model: Path, data: Path, tmp_path: Path,
                                               capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    records = tmp_path / "records"
    command = ["--data", str(data), "--model-path", str(model), "--peers", "wldetect", "--threads", "1",
               "--repeat", "2", "--records", str(records)]  # fmt: skip
    assert compare.main(command) == 0
    printed = capsys.readouterr().out
    (markdown,) = records.glob("*.md")
    assert markdown.read_text(encoding="utf-8") == printed
    assert markdown.stem == f"{json.loads(markdown.with_suffix('.json').read_text())['setting']['date'][:10]}-" + slug(
        compare.cpu_name()
    )
    # The French texts have no label of the model; half of the others warm up.
    assert printed.startswith("# Detectors compared") and "20 texts of `dev.parquet`" in printed
    assert row(printed, "wldetect")[3] == "1.00x" and row(printed, "wldetect")[6] == "100.0%"
    assert str(tmp_path) not in printed + markdown.with_suffix(".json").read_text(encoding="utf-8")
    runs = json.loads(markdown.with_suffix(".json").read_text(encoding="utf-8"))["peers"]["wldetect"]["runs"]["1"]
    assert [(run["texts"], run["bytes"], run["right"], run["asked"]) for run in runs] == [(20, 60, 20, 20)] * 2


def test_the_best_round_counts_and_ratios_are_against_this_package() -> None:
    peers = [measured("wldetect", a_run(0.5), a_run(0.1)), measured("pycld2", a_run(0.4, cpu_s=0.2), a_run(0.8))]
    text = as_markdown(SETTING, peers)
    assert row(text, "wldetect") == ["wldetect", "10,000", "2.00", "1.00x", "1.00x", "400%", "90.0%", ""]
    assert row(text, "pycld2") == [
        "pycld2",
        "2,500",
        "0.50",
        "4.00x",
        "2.00x",
        "100%",
        "90.0%",
        "had the CPU for 50% of the time",
    ]
    costs = text[text.index("## Loading") :]
    assert row(costs, "pycld2") == [
        "pycld2",
        "pycld2 1.2.3",
        "3.12.1",
        "60",
        "10.0",
        "500",
        "50.0",
        "60.0",
        "5.00",
        "70.0",
    ]
    assert as_json(SETTING, peers)["peers"]["pycld2"]["runs"]["1"][1]["wall_s"] == 0.8


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (a_run(0.1, right=49), "right on 49% of the texts it should know: not counted as working"),
        (a_run(0.1, right=0, asked=0), "no text is in a language that it knows: nothing says that it works"),
    ],
)
def test_a_peer_that_answers_nonsense_gets_no_speed(run: dict[str, Any], reason: str) -> None:
    text = as_markdown(SETTING, [measured("wldetect", a_run(0.1)), measured("eldc", run)])
    assert row(text, "eldc") == ["eldc", "-", "-", "-", "-", "-", "-", reason]
    assert text.count("| eldc |") == 1


def test_a_peer_that_cannot_be_installed_is_named_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: Path, data: Path
) -> None:
    def fail(*_arguments: object) -> Path:
        raise UnavailableError("pip install eldc: no such package")

    monkeypatch.setattr(bench, "environment_for", fail)
    monkeypatch.setattr(bench, "find_python", lambda _version: Path(sys.executable))
    options = compare.parse(["--data", str(data), "--model-path", str(model)])
    failed = Measured(peer_named("eldc"))
    bench.prepare(bench.Bench(options, tmp_path), [failed], tmp_path / "warm.json")
    text = as_markdown(SETTING, [measured("wldetect", a_run(0.1)), failed])
    assert row(text, "eldc")[-1] == "pip install eldc: no such package"


def test_a_peer_that_breaks_is_named_with_the_last_line_of_its_error(model: Path, data: Path, tmp_path: Path) -> None:
    options = compare.parse(["--data", str(data), "--model-path", str(tmp_path)])
    broken = Measured(peer_named("wldetect"))
    warm = tmp_path / "warm.json"
    warm.write_text('["one", "uno"]')
    bench.prepare(bench.Bench(options, tmp_path), [broken], warm)
    assert "FileNotFoundError" in broken.problem and str(tmp_path) not in broken.problem


def options_of(model: Path | None) -> Options:
    return Options(model, "e3m4", "all", None, 1)


@pytest.mark.parametrize("name", ["wldetect", "wldetect-arrays"])
def test_hidden_languages_and_what_is_no_language_are_not_known(make_model_dir: MakeModel, name: str) -> None:
    words = {"one": [2.0, 0.0, 0.0], "uno": [0.0, 2.0, 0.0], "7": [0.0, 0.0, 2.0]}
    model = make_model_dir(["eng_Latn", "spa_Latn", "zxx"], words, more={"hidden_languages": '["spa_Latn"]'})
    loaded = peer_named(name).load(options_of(model))
    assert list(loaded.languages()) == ["eng_Latn"]
    answers = loaded.codes(loaded.detect(["one", "uno", "7", ""]))
    assert [answer and language_key(answer) for answer in answers[::2]] == ["eng", "zxx"]


def test_the_reference_needs_a_tokenizer() -> None:
    with pytest.raises(UnavailableError, match=r"needs a tokenizer.json"):
        peer_named("reference").load(options_of(None))


def test_of_this_package_only_the_model_in_use_is_counted(model: Path) -> None:
    package = Path(wldetect.__file__).parent
    sizes = [worker.this_package(options_of(path))["sizes"]["own"] for path in (package / "model", None, model)]
    assert sizes[0] == sizes[1]
    used = sum((model / name).stat().st_size for name in ("lookup_table_fp8_e3m4.safetensors", "tokenizer.json"))
    code = [file for file in package.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    assert sizes[2] == used + sum(file.stat().st_size for file in code if package / "model" not in file.parents)


def test_environments_are_used_again_until_the_requirement_changes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[str] = []

    def pretend(command: list[str], what: str) -> None:
        calls.append(what)
        if "venv" in command:
            python = Path(command[-1]) / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.touch()

    monkeypatch.setattr(environments, "_call", pretend)
    monkeypatch.setattr(environments, "_version_of", lambda _python: (3, 12))
    monkeypatch.setattr(environments.sys, "platform", "linux")
    first = Peer("a", "a==1", (), lambda _options: pytest.fail("not loaded here"))
    inside = environments.environment_for(first, Path("python"), tmp_path)
    assert environments.environment_for(first, Path("python"), tmp_path) == inside
    assert calls == ["making the environment", "pip install a==1"]
    (inside.parents[1] / "installed.json").write_text('{"requirement": "a==0", "python": [3, 12]}')
    environments.environment_for(first, Path("python"), tmp_path)
    assert len(calls) == 4


def test_texts_to_warm_up_with_are_not_timed() -> None:
    all_texts = [f"text {number}" for number in range(5000)]
    labels = ["eng_Latn", "fra_Latn"] * 2500
    warm, timed, truth = texts.choose(all_texts, labels, ["eng_Latn"], 100)
    assert (len(warm), len(timed), set(truth)) == (1000, 100, {"eng_Latn"})
    assert not set(warm) & set(timed)
    assert {int(text.split()[1]) % 2 for text in (*warm, *timed)} == {0}
    assert texts.choose(all_texts, labels, ["eng_Latn"], 100) == (warm, timed, truth)
    with pytest.raises(SystemExit, match="only 0 texts"):
        texts.choose(all_texts, labels, ["deu_Latn"], None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "none.parquet"], "--data: there is no file none.parquet"),
        (["--model-path", "none"], "--model-path: there is no directory none"),
        (["--tokenizer", "none.json"], "--tokenizer: there is no file none.json"),
        (["--limit", "0"], "expected at least 1, found 0"),
        (["--threads", "4096"], "4096 asked for"),
        (["--peers", "nobody"], "invalid choice: 'nobody'"),
    ],
)
def test_arguments_are_checked(model: Path, data: Path, capsys: pytest.CaptureFixture[str], arguments: list[str],
                               message: str) -> None:  # fmt: skip
    with pytest.raises(SystemExit):
        compare.parse(["--data", str(data), "--model-path", str(model), *arguments])
    assert message in capsys.readouterr().err


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"text": ["a"], "iso_639_3": ["eng"]}), path)
    with pytest.raises(SystemExit, match="expected a column 'iso_15924', found text, iso_639_3"):
        texts.read_texts(path)


@pytest.mark.parametrize(
    ("code", "key"),
    [("de", "deu"), ("deu_Latn", "deu"), ("zh-Hant", "zho"), ("cmn_Hans", "zho"), ("iw", "heb"), ("nob_Latn", "nor"),
     ("arz_Arab", "ara"), ("tlh", "tlh")],
)  # fmt: skip
def test_codes_meet_at_one_key(code: str, key: str) -> None:
    assert language_key(code) == key


def test_only_known_languages_are_scored() -> None:
    labels = ["deu_Latn", "fra_Latn", "zsm_Latn", "deu_Latn"]
    assert score(["de", "fr", "ms", None], labels, ["de", "ms"]) == (2, 3)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Traceback\n  ...\nOSError: no /home/someone/some where/x.json\n", "OSError: no …/some where/x.json"),
        ("ERROR: from https://user:word@example.org/simple: nothing\n\n[notice] new pip", "ERROR: from <url> nothing"),
        ("", "no message"),
    ],
)
def test_reasons_are_one_line_without_places(text: str, line: str) -> None:
    assert environments.one_line(text) == line


def test_the_peers_see_neither_the_python_path_nor_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "python")
    peers = environments.clean_environment(1, keep_python_path=False)
    assert "PYTHONPATH" not in peers and peers["RAYON_NUM_THREADS"] == "1"
    assert environments.clean_environment(2, keep_python_path=True)["PYTHONPATH"] == "python"


@pytest.mark.parametrize(
    ("cpu", "name"),
    [("Intel(R) Xeon(R) CPU @ 2.20GHz", "intel-xeon-2-20ghz"), ("AMD EPYC", "amd-epyc"), ("", "unknown-cpu")],
)
def test_the_cpu_names_the_record(cpu: str, name: str) -> None:
    assert slug(cpu) == name
