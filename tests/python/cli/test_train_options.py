"""Options of the loop from the command line to what they leave: log, evaluation while training, losses, weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .project import LANGUAGES, Fails, Project, Run

QUICK = ["--no-eval"]


def log(project: Project) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (project.output / "training_log.jsonl").read_text("utf-8").splitlines()]


def projection(project: Project) -> dict[str, list[float]]:
    from safetensors.numpy import load_file

    return {name: tensor.tolist() for name, tensor in load_file(project.output / "projection.safetensors").items()}


def test_evaluation_while_training(tiny_project: Project, run: Run) -> None:
    outcome = run(*tiny_project.train("--eval-every", "20", "--set", "training.log_every=15"))
    assert outcome.status == 0, outcome.err
    lines = log(tiny_project)
    evaluated = [line for line in lines if "eval_accuracy" in line]
    # 15 steps an epoch, four epochs.
    assert [line["step"] for line in evaluated] == [20, 40, 60]
    assert set(evaluated[0]) == {"step", "eval_accuracy", "eval_macro_f1", "eval_loss"}
    assert evaluated[-1]["eval_loss"] < evaluated[0]["eval_loss"]
    said = f"step 60 of 60: evaluation accuracy {evaluated[-1]['eval_accuracy']:.2%}"
    assert said in outcome.out
    # The last one is of the finished model, which differs from its table by quantization alone.
    scores = json.loads((tiny_project.output / "flores_dev_results.json").read_text("utf-8"))
    assert abs(scores["overall"]["accuracy"] - evaluated[-1]["eval_accuracy"]) <= 1 / 30
    others = [line for line in lines if "loss" in line]
    assert [line["step"] for line in others] == [15, 30, 45, 60]
    assert [line["epoch"] for line in others] == [1, 2, 3, 4]
    assert others[-1]["loss"] < others[0]["loss"]
    assert all(0 <= line["waiting"] <= 1 and line["texts_per_second"] > 0 for line in others)


def test_no_evaluation_means_none_while_training_either(tiny_project: Project, run: Run) -> None:
    outcome = run(*tiny_project.train("--no-eval", "--eval-every", "20"))
    assert outcome.status == 0, outcome.err
    assert "evaluation accuracy" not in outcome.out
    assert not any("eval_accuracy" in line for line in log(tiny_project))


@pytest.mark.parametrize(
    "keys",
    [
        {"loss.name": "focal"},
        {"loss.label_smoothing": 0.2},
        {"loss.class_weights": "weights.yaml"},
        {"loss.name": "focal", "loss.focal_alpha": 0.1},
    ],
)
def test_losses_reach_the_weights(tiny_project: Project, run: Run, keys: dict[str, Any]) -> None:
    weights = "".join(f"{label}: {number + 1}\n" for number, label in enumerate(LANGUAGES))
    (tiny_project.root / "weights.yaml").write_text(weights, encoding="utf-8")
    assert run(*tiny_project.train(*QUICK)).status == 0
    plain = projection(tiny_project)
    changes = [part for key, value in keys.items() for part in ("--set", f"training.{key}={value}")]
    assert run(*tiny_project.train(*QUICK, *changes)).status == 0
    assert projection(tiny_project) != plain


def test_weights_of_a_file_that_changed_are_another_run(tiny_project: Project, run: Run, fails: Fails) -> None:
    path = tiny_project.root / "weights.yaml"
    arguments = tiny_project.train(*QUICK, "--set", "training.loss.class_weights=weights.yaml")
    path.write_text("".join(f"{label}: 1\n" for label in LANGUAGES), encoding="utf-8")
    assert run(*arguments).status == 0
    path.write_text("".join(f"{label}: {len(label) + number}\n" for number, label in enumerate(LANGUAGES)), "utf-8")
    fails([*arguments, "--resume"], "cannot resume: configuration differs")


def test_a_missing_weight_is_named(tiny_project: Project, fails: Fails) -> None:
    path = tiny_project.root / "weights.yaml"
    path.write_text(f"{LANGUAGES[0]}: 1\n", encoding="utf-8")
    arguments = tiny_project.train(*QUICK, "--set", "training.loss.class_weights=weights.yaml")
    fails(arguments, f"{path}: expected a weight for each language, missing {', '.join(LANGUAGES[1:])}")


def test_tensorboard(tiny_project: Project, run: Run) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    outcome = run(*tiny_project.train(*QUICK, "--set", "training.tensorboard=true", "--set", "training.log_every=20"))
    assert outcome.status == 0, outcome.err
    events = accumulator.EventAccumulator(str(tiny_project.output / "tensorboard")).Reload()
    assert {"loss", "accuracy", "learning_rate", "texts_per_second", "waiting"} <= set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("loss")] == [line["step"] for line in log(tiny_project)]


def test_precision_and_compiling_reach_the_model(
    tiny_project: Project, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wldetect.training.model import LanguageModel

    compiled: list[str] = []
    monkeypatch.setattr(LanguageModel, "compile_layers", lambda model: compiled.append(model.precision.value))
    assert run(*tiny_project.train(*QUICK)).status == 0
    exact = projection(tiny_project)
    assert compiled == []
    changes = ["--set", "training.precision=bfloat16", "--set", "training.compile=true"]
    assert run(*tiny_project.train(*QUICK, *changes)).status == 0
    assert compiled == ["bfloat16"]
    assert projection(tiny_project) != exact


def test_a_wrong_number_of_steps(tiny_project: Project, fails: Fails) -> None:
    expected = "training.eval_every (from the command line): expected int >= 0, found -1"
    fails(tiny_project.train("--eval-every", "-1"), expected)


AUGMENTED = [
    *QUICK,
    *("--set", "training.augmentation={crop: 0.5, crop_max_words: 2, noise: 0.3, uppercase: 0.2}"),
    *("--set", "training.checkpoint_interval=20"),
]


def test_random_changes_repeat_and_are_resumed(tiny_project: Project, run: Run) -> None:
    assert run(*tiny_project.train(*QUICK)).status == 0
    plain = projection(tiny_project)
    assert run(*tiny_project.train(*AUGMENTED)).status == 0
    changed = projection(tiny_project)
    assert changed != plain
    checkpoints = tiny_project.output / "checkpoints"
    (checkpoints / "step_00000060.pt").unlink()
    outcome = run(*tiny_project.train(*AUGMENTED, "--resume", "--set", "training.prefetch_batches=0"))
    assert outcome.status == 0, outcome.err
    assert projection(tiny_project) == changed


def test_what_cleaning_did_lies_beside_the_model(tiny_project: Project, run: Run) -> None:
    report = tiny_project.output / "cleaning_report.json"
    label = LANGUAGES[0]
    with (tiny_project.corpus / "train" / f"{label}.txt").open("a", encoding="utf-8") as file:
        file.write("ba\nba\n")
    assert run(*tiny_project.train(*QUICK, "--set", "dataset.cleaning.min_letters=3")).status == 0
    assert label in report.read_text(encoding="utf-8")
    assert run(*tiny_project.train(*QUICK)).status == 0
    assert not report.exists()


def test_held_out_texts_are_another_run(tiny_project: Project, run: Run, fails: Fails) -> None:
    held_out = tiny_project.root / "held.txt"
    texts = (tiny_project.corpus / "train" / f"{LANGUAGES[0]}.txt").read_text(encoding="utf-8").splitlines()
    held_out.write_text(texts[0] + "\n", encoding="utf-8")
    arguments = tiny_project.train(*QUICK, "--set", "dataset.held_out=[held.txt]")
    assert run(*arguments).status == 0
    held_out.write_text(texts[1] + "\n", encoding="utf-8")
    fails([*arguments, "--resume"], "cannot resume: corpus differs")


def test_a_project_without_augmentation_keeps_no_texts(tiny_project: Project, run: Run, private_cache: Path) -> None:
    assert run(*tiny_project.train(*QUICK)).status == 0
    assert not any(b"balo" in path.read_bytes() for path in (private_cache / "tokens").rglob("*.bin"))


WITH_TEXTS = [
    *("--set", "training.augmentation.uppercase=0.5"),
    *("--set", "dataset.balance_languages=true"),
    *("--set", "dataset.length_bands=[1]"),
]


@pytest.mark.parametrize("options", [[], WITH_TEXTS])
def test_tokens_seen_too_rarely_have_no_row(
    options: list[str], tiny_project: Project, run: Run, tmp_path: Path
) -> None:
    from wldetect.analysis.counts import read_counts
    from wldetect.export.quantize import TableDType
    from wldetect.export.table_file import read_table_file

    quick = [*options, "--set", "training.num_epochs=1"]
    file = tmp_path / "counts.safetensors"
    counted = run("analyze", "token-frequency", "--config", str(tiny_project.config), *quick, "--output", str(file))
    assert counted.status == 0, counted.err
    counts = read_counts(file).counts
    threshold = int(np.median(counts[counts > 0]))
    outcome = run(*tiny_project.train(*QUICK, *quick, "--set", f"output.min_token_count={threshold}"))
    assert outcome.status == 0, outcome.err
    kept = counts >= threshold
    assert 0 < kept.sum() < np.count_nonzero(counts)
    assert f"rows: {kept.sum():,} of {len(counts):,} tokens" in outcome.out
    for dtype in (TableDType.E3M4, TableDType.E4M3FN):
        table = read_table_file(tiny_project.output / dtype.file_name, dtype)
        np.testing.assert_array_equal(table.kept_tokens, kept)
        assert (len(table.stored), table.min_count) == (kept.sum(), threshold)
