"""A virtual environment for each peer, made once, and what runs in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from adapters import Peer, UnavailableError

__all__ = ["clean_environment", "environment_for", "find_python", "one_line"]

# What pip may take, in seconds.
_INSTALL_TIMEOUT = 1200
_STAMP = "installed.json"


def one_line(text: str, most: int = 160) -> str:
    """The last line of ``text`` that says something, without places of this machine."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("[notice]")]
    last = re.sub(r"\w+://\S+", "<url>", lines[-1]) if lines else "no message"
    last = re.sub(r"(?<![\w<])(?:/[\w.~+-]+){2,}", lambda path: "…/" + path[0].rpartition("/")[2], last)
    return last if len(last) <= most else last[: most - 1] + "…"


def clean_environment(threads: int, *, keep_python_path: bool) -> dict[str, str]:
    """Environment variables of a run: every library that starts threads is told how many, and nothing is downloaded.

    ``PYTHONPATH`` is for the package under test alone: the reference implementation has the same name.
    """
    count = str(threads)
    dropped = {"PYTHONHOME", "VIRTUAL_ENV", *(() if keep_python_path else ("PYTHONPATH",))}
    numbered = ("RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {name: value for name, value in os.environ.items() if name not in dropped} | {
        **dict.fromkeys(numbered, count),
        "TOKENIZERS_PARALLELISM": "true" if threads > 1 else "false",
        "HF_HUB_OFFLINE": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
    }


def find_python(version: tuple[int, int]) -> Path | None:
    """An interpreter of that version: on the path, or installed by pyenv or uv."""
    name = "python{}.{}".format(*version)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    uv = Path.home() / ".local" / "share" / "uv" / "python"
    dotted = "{}.{}".format(*version)
    on_path = shutil.which(name)
    found = [Path(on_path)] if on_path else []
    found += [Path(sys.executable), *sorted(pyenv.glob(f"{dotted}*/bin/{name}"), reverse=True)]
    found += sorted(uv.glob(f"cpython-{dotted}*/bin/{name}"), reverse=True)
    for python in found:
        # A pyenv shim is on the path for every version, and fails for those that are not chosen.
        if _version_of(python) == version:
            return python
    return None


def _version_of(python: Path) -> tuple[int, int] | None:
    command = [str(python), "-c", "import sys; print(*sys.version_info[:2])"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        major, minor = map(int, done.stdout.split())
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return major, minor


def environment_for(peer: Peer, python: Path, cache: Path) -> Path:
    """The interpreter of the virtual environment of ``peer`` below ``cache``, made with ``python`` and pip if need be.

    It is kept as long as the peer's requirement and the Python version stay the same.

    Raises:
        UnavailableError: making or installing failed.
    """
    assert peer.requirement is not None, f"{peer.name} is not installed by pip"
    place = cache / re.sub(r"[^\w.]+", "-", peer.requirement)
    inside = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    wanted = {"requirement": peer.requirement, "python": _version_of(python)}
    stamp = place / _STAMP
    if stamp.exists() and inside.exists() and json.loads(stamp.read_text()) == json.loads(json.dumps(wanted)):
        return inside
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    _call([str(python), "-m", "venv", str(place)], "making the environment")
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", peer.requirement]
    _call([str(inside), *install], f"pip install {peer.requirement}")
    # Last, so that an interrupted installation is made again.
    stamp.write_text(json.dumps(wanted))
    return inside


def _call(command: Sequence[str], what: str) -> None:
    environment = clean_environment(1, keep_python_path=False)
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{what}: {one_line(str(error))}") from None
    if done.returncode:
        raise UnavailableError(f"{what}: {one_line(done.stderr or done.stdout)}")
