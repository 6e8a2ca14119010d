"""Embeddings and tokenizer from one GGUF file, dequantized once into a cache that is then memory-mapped."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wldetect.embeddings.base import (
    ArrayMatrix,
    EmbeddingMatrix,
    EmbeddingSource,
    check_hidden_dim,
    tensor_fingerprint,
    token_strings,
)
from wldetect.embeddings.gguf_file import GGUFFile, GGUFTensor
from wldetect.embeddings.gguf_tokenizer import (
    BUILDER_VERSION,
    InexactTokenizerError,
    TokenType,
    build_tokenizer_json,
    read_pieces,
)
from wldetect.embeddings.tensor_names import is_input_module, listed
from wldetect.errors import EmbeddingError, MissingExtraError
from wldetect.files import atomic_path, require_free_space

if TYPE_CHECKING:
    from gguf import GGMLQuantizationType

__all__ = ["GGUFSource"]

# The input embedding's name in every GGUF file.
_GGUF_NAME = "token_embd.weight"
# Values dequantized at a time: 32 MB of float32, small against the memory of any machine that trains.
_CHUNK_VALUES = 8 * 2**20
_HASH_CHUNK_BYTES = 2**20


class GGUFSource(EmbeddingSource):
    """The input embedding of a GGUF file, of any storage type that the ``gguf`` package can decode.

    A float32 tensor is mapped where it is. Any other is decoded once, in chunks of rows, into
    ``<cache_dir>/embeddings/<fingerprint>.npy`` (float32, V x D x 4 bytes) and mapped from there; the key is the
    content, so that a copied or renamed file finds the same cache and a changed one does not.

    Args:
        path: the file.
        tensor_name: the tensor, with or without ``.weight``; a Hugging Face name of the input embedding, such as
            ``model.embed_tokens.weight``, stands for ``token_embd.weight``.
        hidden_dim: D as configured.
        cache_dir: where the decoded matrix and the rebuilt tokenizer are kept.
        sha256: the expected checksum (hex) of the whole file, compared on every opening.

    Raises:
        OSError: the file is missing or unreadable.
        EmbeddingError: the file is not a whole GGUF file, its checksum differs, or the tensor is missing, not a matrix
            or of another width.
        MissingExtraError: the ``gguf`` package is not installed.
    """

    def __init__(
        self, path: Path, tensor_name: str, hidden_dim: int, cache_dir: Path, sha256: str | None = None
    ) -> None:
        self._path = path
        self._cache_dir = cache_dir / "embeddings"
        self._file = GGUFFile(path)
        sizes, self._dequantize = _load_gguf()
        if sha256 is not None:
            _check_sha256(self._file, sha256)
        _check_complete(self._file, sizes)
        self._tensor = _find_tensor(self._file, tensor_name)
        check_hidden_dim(hidden_dim, self._tensor.shape, self._tensor.name, path)
        self._type, block, block_bytes = _storage(self._tensor, sizes, path)
        if hidden_dim % block:
            raise EmbeddingError(
                f"{path}: tensor {self._tensor.name}: expected rows of whole blocks of {block} values "
                f"({self._type.name}), found {hidden_dim} values"
            )
        n_rows, row_bytes = self._tensor.shape[0], hidden_dim // block * block_bytes
        stored = self._file.data[self._tensor.offset : self._tensor.offset + n_rows * row_bytes]
        self._stored: NDArray[np.uint8] = stored.reshape(n_rows, row_bytes)
        self._fingerprint: str | None = None

    def describe(self) -> str:
        n_rows, width = self._tensor.shape
        return f"{self._path}: {self._tensor.name} ({n_rows} x {width}, {self._type.name})"

    def fingerprint(self) -> str:
        if self._fingerprint is None:
            self._fingerprint = tensor_fingerprint(self._stored, self._type.name, self._tensor.shape)
        return self._fingerprint

    def matrix(self) -> EmbeddingMatrix:
        if self._type.name == "F32":
            values = self._stored.view("<f4")
            if values.flags.aligned:
                return ArrayMatrix(values)
        cached = self._cache_dir / f"{self.fingerprint()}.npy"
        array = self._open_cached(cached)
        if array is None:
            self._extract(cached)
            array = self._open_cached(cached)
            if array is None:
                raise EmbeddingError(f"{cached}: the cached embeddings changed while they were being opened")
        return ArrayMatrix(array)

    def tokenizer_json(self) -> str:
        """The tokenizer rebuilt from the file's metadata, cached by content beside the matrix.

        Where it cannot be rebuilt exactly, a ``tokenizer.json`` in the same folder is taken instead, provided that
        its tokens are the file's, id by id.
        """
        key = f"{self._file.metadata_digest('tokenizer.')}-{BUILDER_VERSION}"
        cached = self._cache_dir / f"{key}.tokenizer"
        text = _read_checked_text(cached)
        if text is None:
            n_tokens = len(self._file.strings("tokenizer.ggml.tokens") or ())
            if n_tokens > self._tensor.shape[0]:
                raise EmbeddingError(
                    f"{self._path}: tokenizer.ggml.tokens: expected at most {self._tensor.shape[0]} tokens, one a row "
                    f"of {self._tensor.name}, found {n_tokens}"
                )
            try:
                text = build_tokenizer_json(self._file)
            except InexactTokenizerError as error:
                return self._neighbouring_tokenizer(error)
            _write_checked_text(cached, text)
        return text

    def _open_cached(self, path: Path) -> NDArray[np.float32] | None:
        """The cached matrix, mapped; None, after a warning if there was a file, where it must be written anew."""
        if not path.exists():
            return None
        try:
            array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            reason = str(error)
        else:
            expected = (np.dtype("<f4"), self._tensor.shape, path.stat().st_size)
            found = (array.dtype, array.shape, getattr(array, "offset", 0) + array.nbytes)
            if found == expected and array.flags.c_contiguous:
                return array
            reason = f"expected dtype, shape and file size {expected}, found {found}"
        warnings.warn(f"{path}: unusable, writing it again: {reason}", RuntimeWarning, stacklevel=3)
        return None

    def _extract(self, target: Path) -> None:
        from tqdm import tqdm

        n_rows, width = self._tensor.shape
        require_free_space(target.parent, n_rows * width * 4, "the decoded embeddings")
        chunk = max(1, _CHUNK_VALUES // width)
        header = {"descr": "<f4", "fortran_order": False, "shape": (n_rows, width)}
        # Plain writes and not a mapped file: on a full disk these fail with an error, a mapping with a signal.
        with (
            atomic_path(target) as temporary,
            temporary.open("wb") as file,
            # None: shown on a terminal only.
            tqdm(total=n_rows, desc=f"decoding {self._path.name}", unit="row", disable=None) as progress,
        ):
            np.lib.format.write_array_header_1_0(file, header)
            for start in range(0, n_rows, chunk):
                rows = self._decode(start, min(start + chunk, n_rows))
                file.write(rows.data)
                progress.update(len(rows))

    def _decode(self, start: int, stop: int) -> NDArray[np.float32]:
        try:
            # In memory first: the decoders view blocks as wider types, which unaligned mapped bytes do not allow.
            decoded = self._dequantize(self._stored[start:stop].copy(), self._type)
        except NotImplementedError as error:
            raise EmbeddingError(
                f"{self._path}: tensor {self._tensor.name}: storage type {self._type.name} cannot be decoded by the "
                f"installed gguf package"
            ) from error
        rows: NDArray[np.float32] = np.ascontiguousarray(decoded, dtype="<f4").reshape(stop - start, -1)
        finite = np.isfinite(rows).all(axis=1)
        if not finite.all():
            row = start + int(np.argmin(finite))
            raise EmbeddingError(f"{self._path}: tensor {self._tensor.name}: row {row} holds a NaN or an infinity")
        return rows

    def _neighbouring_tokenizer(self, reason: InexactTokenizerError) -> str:
        path = self._path.with_name("tokenizer.json")
        if not path.is_file():
            raise InexactTokenizerError(
                f"{reason}; put the model's tokenizer.json beside the file, or use its Hugging Face directory"
            ) from reason
        try:
            text = path.read_text(encoding="utf-8")
            found = token_strings(text)
        except (UnicodeDecodeError, EmbeddingError) as error:
            raise EmbeddingError(f"{path}: not a usable tokenizer: {error}") from error
        for token_id, (piece, kind) in enumerate(zip(*read_pieces(self._file), strict=True)):
            token = found.get(token_id)
            spelled = token.replace(" ", "\u2581") if token and kind is TokenType.USER_DEFINED else token
            if spelled != piece and kind is not TokenType.UNUSED:
                raise EmbeddingError(
                    f"{path}: not the tokenizer of {self._path.name}: token {token_id}: expected {piece!r}, "
                    f"found {token!r}"
                )
        return text


def _load_gguf() -> tuple[dict[GGMLQuantizationType, tuple[int, int]], Callable[..., NDArray[Any]]]:
    """The ``gguf`` package's block sizes (values, bytes) by storage type, and its decoder."""
    try:
        from gguf import GGML_QUANT_SIZES, dequantize
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"reading a GGUF file needs the package {error.name}: pip install {error.name}"
        ) from error
    return GGML_QUANT_SIZES, dequantize


def _check_sha256(file: GGUFFile, expected: str) -> None:
    digest = hashlib.sha256()
    for start in range(0, len(file.data), _HASH_CHUNK_BYTES):
        digest.update(file.data[start : start + _HASH_CHUNK_BYTES].data)
    if digest.hexdigest() != expected.lower():
        raise EmbeddingError(f"{file.path}: sha256: expected {expected.lower()}, found {digest.hexdigest()}")


def _storage(
    tensor: GGUFTensor, sizes: dict[GGMLQuantizationType, tuple[int, int]], path: Path
) -> tuple[GGMLQuantizationType, int, int]:
    """The tensor's storage type and how many values and bytes a block of it has."""
    for kind, (block, block_bytes) in sizes.items():
        if kind == tensor.type_id:
            return kind, block, block_bytes
    raise EmbeddingError(
        f"{path}: tensor {tensor.name}: storage type {tensor.type_id} is unknown to the installed gguf package"
    )


def _check_complete(file: GGUFFile, sizes: dict[GGMLQuantizationType, tuple[int, int]]) -> None:
    """Compare where each tensor ends with the size of the file; unknown types are passed over."""
    known = {int(kind): size for kind, size in sizes.items()}
    for tensor in file.tensors.values():
        block, block_bytes = known.get(tensor.type_id, (1, 0))
        end = tensor.offset + -(-tensor.n_elements // block) * block_bytes
        if end > len(file.data):
            raise EmbeddingError(
                f"{file.path}: truncated: tensor {tensor.name} ends at byte {end}, the file has {len(file.data)} bytes"
            )


def _find_tensor(file: GGUFFile, name: str) -> GGUFTensor:
    stem = name.removesuffix(".weight")
    wanted = [name, f"{stem}.weight", stem]
    if is_input_module(name):
        wanted.append(_GGUF_NAME)
    tensor = next((file.tensors[candidate] for candidate in wanted if candidate in file.tensors), None)
    if tensor is None:
        matrices = [t.name for t in file.tensors.values() if len(t.shape) == 2]
        likely = [n for n in matrices if "emb" in n or "wte" in n] or matrices
        expected = f"one of {listed(likely)}" if likely else "a matrix, but there is none"
        raise EmbeddingError(f"{file.path}: embedding_layer_name: expected {expected}, found {name!r}")
    if len(tensor.shape) != 2 or 0 in tensor.shape:
        found = " x ".join(map(str, tensor.shape)) or "a single value"
        raise EmbeddingError(f"{file.path}: tensor {tensor.name}: expected tokens x dimensions, found {found}")
    return tensor


def _read_checked_text(path: Path) -> str | None:
    """The text written by `_write_checked_text`, or None where there is none or it is damaged (after a warning)."""
    try:
        checksum, _, body = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    if hashlib.sha256(body).hexdigest().encode() != checksum:
        warnings.warn(f"{path}: unusable, writing it again: the checksum differs", RuntimeWarning, stacklevel=3)
        return None
    return body.decode("utf-8")


def _write_checked_text(path: Path, text: str) -> None:
    body = text.encode("utf-8")
    require_free_space(path.parent, len(body), "the rebuilt tokenizer")
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(hashlib.sha256(body).hexdigest().encode() + b"\n")
        file.write(body)
