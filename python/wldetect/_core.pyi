"""The Rust core. Arrays are numpy's; everything else needs no numpy."""

from collections.abc import Iterable
from os import PathLike
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray
from typing_extensions import final

__all__ = ["Tokenizer", "WLDetect", "__version__", "fp8_decode", "fp8_encode", "pool", "softmax"]

__version__: str

_Format = Literal["e3m4", "e4m3fn"]
_DType = Literal["e3m4", "e4m3fn", "float32"]
_Pooling = Literal["average", "logsumexp", "max"]

@final
class WLDetect:
    """A loaded model directory: text in, language out. Safe to use from many threads at once."""

    @staticmethod
    def load(path: str | PathLike[str], *, table: _DType = "e3m4") -> WLDetect:
        """Load the model directory ``path`` with the table of the given dtype.

        Raises ``FileNotFoundError`` when a file is missing and ``ArtifactError`` when one is truncated, malformed,
        holds infinity or NaN, or the tokenizer is not the one the table was made with.
        """

    # A string is also an iterable of strings; the first overload wins.
    @overload
    def predict(self, text: str, *, threads: int | None = None) -> tuple[str, float] | None:  # type: ignore[overload-overlap]
        """The most probable language and its probability, or None when no token of ``text`` has a row.

        For an iterable of texts, a list of such answers in order, computed on ``threads`` threads (default: one for
        each core) without the interpreter lock. Lone surrogates count as U+FFFD. ``TypeError`` for anything else.
        """

    @overload
    def predict(self, text: Iterable[str], *, threads: int | None = None) -> list[tuple[str, float] | None]: ...
    def probabilities(self, text: str) -> NDArray[np.float32] | None:
        """Probability of every language, float32 [L] in the order of ``languages``; None as for ``predict``."""

    @property
    def languages(self) -> list[str]:
        """Language codes, by index."""

    @property
    def pooling(self) -> _Pooling:
        """How token rows are pooled."""

    @property
    def max_sequence_length(self) -> int:
        """Tokens of a text that are used; the rest is left out."""

@final
class Tokenizer:
    """Text to token ids, exactly as the detector does it, without special tokens."""

    def __new__(cls, json: str) -> Tokenizer:
        """Read the text of a ``tokenizer.json``; ``ValueError`` when it is not a tokenizer definition."""

    def encode(self, text: str, max_length: int | None = None) -> NDArray[np.uint32]:
        """The first ``max_length`` ids of ``text``, uint32 [n]."""

    def encode_batch(
        self, texts: Iterable[str], max_length: int | None = None, threads: int | None = None
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Ids of all texts end to end, uint32 [n], and offsets, int64 [len(texts) + 1]: text i has ids
        ``offsets[i]:offsets[i + 1]``."""

    @property
    def vocab_size(self) -> int:
        """Number of ids, added tokens included."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the JSON text, in hexadecimal."""

def fp8_decode(codes: NDArray[np.uint8], format: _Format) -> NDArray[np.float32]:
    """The values of ``codes``, of the same shape. Read without a copy where C-contiguous."""

def fp8_encode(values: NDArray[np.float32], format: _Format) -> NDArray[np.uint8]:
    """The codes nearest to ``values``, ties to even, saturating at the largest finite value; same shape.

    Read without a copy where C-contiguous. ``ValueError`` for a NaN, naming its flat index.
    """

def pool(
    table: NDArray[np.uint8] | NDArray[np.float32],
    ids: NDArray[np.uint32],
    *,
    dtype: _DType,
    pooling: _Pooling,
    scale: float = 1.0,
    mask: NDArray[np.uint8] | None = None,
) -> NDArray[np.float32] | None:
    """Pooled logits, float32 [L], of the rows ``ids`` of ``table`` [V, L] (stored value x scale = logit).

    Rows whose ``mask`` (uint8 [V]) is not zero, and ids past the table, are left out; None when none is left.
    Nothing is copied: the arrays must be C-contiguous.
    """

def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities, float32 [L], of ``logits``."""
