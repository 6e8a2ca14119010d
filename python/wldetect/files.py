"""Where derived files are kept, and how one is written so that a half-written file never takes its final name."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wldetect.errors import EmbeddingError

__all__ = ["atomic_path", "default_cache_dir", "require_free_space"]

# Left over on the disk after a large write, so that the rest of the system keeps working.
_HEADROOM_BYTES = 64 * 2**20


def default_cache_dir() -> Path:
    """The directory for files that can be rebuilt: ``$WLDETECT_CACHE``, else ``wldetect`` in the platform's cache.

    The platform's cache is ``%LOCALAPPDATA%`` on Windows, ``~/Library/Caches`` on macOS, and ``$XDG_CACHE_HOME`` or
    ``~/.cache`` elsewhere. The directory is not created here.
    """
    if chosen := os.environ.get("WLDETECT_CACHE"):
        return Path(chosen).expanduser()
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
        # The XDG specification says that a relative path is to be ignored.
        base = xdg if xdg.is_absolute() else home / ".cache"
    return base / "wldetect"


@contextmanager
def atomic_path(final: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of ``final``; when the block ends well, it becomes ``final``.

    The block writes one regular file at the yielded path, which does not exist yet. The file is flushed to disk and
    renamed over ``final`` in one step, so that a reader sees the old file or the whole new one. On any exception,
    ``KeyboardInterrupt`` included, the temporary file is removed and ``final`` is left as it was. Missing parent
    folders are created.

    Raises:
        OSError: the folder cannot be created or written, or the block wrote no file.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".{final.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        # Writable, because Windows can only flush a handle that may write.
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        temporary.replace(final)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def require_free_space(directory: Path, n_bytes: int, purpose: str) -> None:
    """Check that ``n_bytes`` can be written under ``directory``, which need not exist yet.

    Raises:
        EmbeddingError: there is not enough room; the text names the directory, ``purpose``, and both sizes.
    """
    existing = directory.absolute()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    needed = n_bytes + _HEADROOM_BYTES
    if free < needed:
        raise EmbeddingError(
            f"{directory}: not enough disk space for {purpose}: expected at least {-(-needed // 10**6)} MB free, "
            f"found {free // 10**6} MB (another place can be chosen with WLDETECT_CACHE)"
        )
