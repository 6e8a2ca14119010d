"""`scripts/copy_calibration.py`: what is copied, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from wldetect import WLDetect

SCRIPT = Path(__file__).parents[3] / "scripts" / "copy_calibration.py"
TABLE = "lookup_table_fp8_e3m4.safetensors"
WORDS = {"ja": [1.0, 0.0], "no": [0.0, 1.0]}
CALIBRATION = {"all": {"inverse_temperatures": [2.0], "thresholds": {"b": 0.9}}}


def copy(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_probabilities_and_thresholds_come_along(make_model_dir: Callable[..., Path]) -> None:
    source = make_model_dir(["a", "b"], WORDS, name="source", more={"calibration": json.dumps(CALIBRATION)})
    target = make_model_dir(["a", "b"], WORDS, name="target")
    assert [answer and answer[0] for answer in WLDetect.load(target).predict(["ja", "no"])] == ["a", "b"]
    done = copy(source, target)
    assert (done.returncode, done.stdout) == (0, f"wrote: {target / TABLE}\n")
    assert WLDetect.load(target).predict(["ja", "no"]) == WLDetect.load(source).predict(["ja", "no"])
    assert [answer and answer[0] for answer in WLDetect.load(target).predict(["ja", "no"])] == ["a", "und"]


def test_what_does_not_fit_is_refused(make_model_dir: Callable[..., Path], tmp_path: Path) -> None:
    source = make_model_dir(["a", "b"], WORDS, name="source", more={"calibration": json.dumps(CALIBRATION)})
    other = make_model_dir(["b", "a"], WORDS, name="other")
    before = (other / TABLE).read_bytes()
    for arguments, reason in (
        ((source, other), f"{other / TABLE}: languages: expected those of {source / TABLE}, found others"),
        ((other, source), f"{other / TABLE}: calibration: expected a calibrated model (`wldetect calibrate`)"),
        ((source, tmp_path / "none"), f"{tmp_path / 'none' / TABLE}: no such file"),
    ):
        done = copy(*arguments)
        assert done.returncode == 2
        assert done.stderr.startswith(f"copy_calibration.py: error: {reason}")
    assert (other / TABLE).read_bytes() == before
