"""Finding the files and directories that a configuration names."""

from __future__ import annotations

import glob
import importlib.resources
from pathlib import Path

from wldetect.errors import ConfigError

__all__ = ["DEFAULT_TRAINING_CONFIG", "candidate_paths", "expand_home", "resolve_name", "resolve_path"]

_PACKAGE = "wldetect"
_PREFIX = "package:"


def DEFAULT_TRAINING_CONFIG() -> Path:  # noqa: N802 - a constant that needs the installed package to be computed
    """Return the packaged starter training configuration, the default of ``wldetect train``."""
    return _inside_package("starter/configs/training/starter.yaml")


def expand_home(text: str) -> Path:
    """Replace a leading ``~`` or ``~user`` by that home directory; where there is no such user, keep the text."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def candidate_paths(text: str, config_path: str | Path) -> tuple[Path, ...]:
    """List where a path written in a configuration file may lie, in the order they are tried.

    ``package:wldetect/...`` lies inside the installed package; ``~`` is expanded; an absolute path stays; a relative
    one lies beside the configuration file or else in the current directory.

    Raises:
        ConfigError: a ``package:`` path names another package or leaves this one.
    """
    if text.startswith(_PREFIX):
        package, _, inside = text.removeprefix(_PREFIX).partition("/")
        if package != _PACKAGE or not inside or ".." in inside.split("/"):
            raise ConfigError(f"{config_path}: expected a path like '{_PREFIX}{_PACKAGE}/...', found '{text}'")
        return (_inside_package(inside),)
    path = expand_home(text)
    if path.is_absolute():
        return (path,)
    beside = Path(config_path).parent / path
    return (beside,) if beside.absolute() == path.absolute() else (beside, path)


def resolve_path(text: str, config_path: str | Path) -> Path | None:
    """Return the first existing candidate of a path written in a configuration file, or None if there is none.

    Raises:
        ConfigError: a ``package:`` path names another package or leaves this one.
    """
    return next((path for path in candidate_paths(text, config_path) if _exists(path)), None)


def resolve_name(text: str, config_path: str | Path) -> str:
    """Resolve a name that may be a hub id, a file, a directory, or a pattern such as ``data/*.parquet``.

    Returns the path of the first candidate that exists, or for a pattern the first one that matches a file, with the
    pattern kept; the text unchanged where nothing does, since it may be a hub id.

    Raises:
        ConfigError: a ``package:`` path names another package or leaves this one.
    """
    existing = resolve_path(text, config_path)
    if existing is not None:
        return str(existing)
    if glob.has_magic(text) and not text.startswith(_PREFIX):
        for root in (glob.escape(str(Path(config_path).parent)), ""):
            pattern = str(Path(root, expand_home(text)))
            # Path.glob takes no absolute pattern.
            if next(glob.iglob(pattern, recursive=True), None) is not None:  # noqa: PTH207
                return pattern
    return text


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a hub id or pattern may be no possible file name
        return False


def _inside_package(inside: str) -> Path:
    place = importlib.resources.files(_PACKAGE)
    for part in inside.split("/"):
        place = place.joinpath(part)
    return Path(str(place))
