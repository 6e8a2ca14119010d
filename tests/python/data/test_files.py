"""Which files belong to a data set and to a split of it, and what is checked before they are read."""

from __future__ import annotations

import codecs
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wldetect.data.files import FileKind, check_utf8, files_fingerprint, find_files, listed, one_line
from wldetect.errors import DataError

# What `check_utf8` reads at a time.
BLOCK = 1 << 20


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    return root


def found(name: Path | str, split: str = "train") -> tuple[FileKind, list[str]]:
    files = find_files(str(name), split)
    assert files is not None
    root = Path(name) if Path(name).is_dir() else Path(name).parent
    return files.kind, [path.relative_to(root).as_posix() for path in files.paths]


def error_of(name: Path | str, split: str = "train") -> str:
    with pytest.raises(DataError) as caught:
        find_files(str(name), split)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.parquet", FileKind.PARQUET),
        ("a.jsonl", FileKind.JSON),
        ("a.ndjson", FileKind.JSON),
        ("a.json", FileKind.JSON),
        ("a.csv", FileKind.CSV),
        ("a.tsv", FileKind.CSV),
        ("deu_Latn.txt", FileKind.TEXT),
        ("A.PARQUET", FileKind.PARQUET),
    ],
)
def test_single_file_belongs_to_every_split(name: str, kind: FileKind, tmp_path: Path) -> None:
    touch(tmp_path, name)
    assert found(tmp_path / name, "anything") == (kind, [name])


def test_nothing_of_that_name(tmp_path: Path) -> None:
    for name in ("missing", "missing.parquet", "*.parquet", "someone/corpus"):
        assert find_files(str(tmp_path / name), "train") is None


def test_file_of_another_type(tmp_path: Path) -> None:
    touch(tmp_path, "notes.md", "LICENSE")
    start = f"{tmp_path / 'notes.md'}: expected a directory or a file of type .parquet, .jsonl"
    assert error_of(tmp_path / "notes.md").startswith(start)
    assert error_of(tmp_path / "notes.md").endswith("found .md")
    assert error_of(tmp_path / "LICENSE").endswith("found no suffix")


def test_patterns(tmp_path: Path) -> None:
    touch(tmp_path, "b.parquet", "a.parquet", "deep/c.parquet", "x.csv", "notes.md", "dir.parquet/inside.txt")
    assert found(tmp_path / "*.parquet") == (FileKind.PARQUET, ["a.parquet", "b.parquet"])
    files = find_files(str(tmp_path / "**" / "*.parquet"), "train")
    assert files is not None
    assert [path.name for path in files.paths] == ["a.parquet", "b.parquet", "c.parquet"]
    assert error_of(tmp_path / "*.*").startswith(f"{tmp_path / '*.*'}: expected files of one kind among .parquet,")
    assert error_of(tmp_path / "*.*").endswith("found a.parquet, b.parquet, notes.md, x.csv")
    assert error_of(tmp_path / "*.md").endswith("found notes.md")


def test_file_whose_name_looks_like_a_pattern(tmp_path: Path) -> None:
    touch(tmp_path, "a[1].csv", "a1.csv")
    assert found(tmp_path / "a[1].csv") == (FileKind.CSV, ["a[1].csv"])


def test_split_folder(tmp_path: Path) -> None:
    touch(tmp_path, "train/deu_Latn.txt", "train/eng_Latn.txt", "dev/deu_Latn.txt", "README.md", "stray.txt")
    assert found(tmp_path) == (FileKind.TEXT, ["train/deu_Latn.txt", "train/eng_Latn.txt"])
    assert found(tmp_path, "dev") == (FileKind.TEXT, ["dev/deu_Latn.txt"])


def test_split_folder_without_data(tmp_path: Path) -> None:
    touch(tmp_path, "train/notes.md", "all.parquet")
    assert error_of(tmp_path).startswith(f"{tmp_path / 'train'}: expected files of type .parquet")
    assert error_of(tmp_path).endswith("found notes.md")


def test_data_folder(tmp_path: Path) -> None:
    touch(tmp_path, "data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet", "data/test.parquet")
    touch(tmp_path, "README.md")
    expected = ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"]
    assert found(tmp_path) == (FileKind.PARQUET, expected)
    assert found(tmp_path, "test") == (FileKind.PARQUET, ["data/test.parquet"])
    assert error_of(tmp_path, "dev") == f"{tmp_path}: expected a split 'dev', found test, train"


def test_split_folder_inside_the_data_folder(tmp_path: Path) -> None:
    touch(tmp_path, "data/train/part.jsonl", "data/dev/part.jsonl")
    assert found(tmp_path) == (FileKind.JSON, ["data/train/part.jsonl"])


def test_files_named_by_split(tmp_path: Path) -> None:
    names = ["train.parquet", "train-00001.parquet", "train_extra.parquet", "training.parquet", "dev.parquet"]
    touch(tmp_path, *names, "trained_words.parquet")
    assert found(tmp_path)[1] == ["train-00001.parquet", "train.parquet", "train_extra.parquet"]
    assert found(tmp_path, "dev")[1] == ["dev.parquet"]
    # What is named after no split belongs to every one; here that is all there is left.
    assert found(tmp_path, "test")[1] == ["trained_words.parquet"]


def test_dev_is_not_devtest(tmp_path: Path) -> None:
    touch(tmp_path, "devtest.csv")
    assert error_of(tmp_path, "dev") == f"{tmp_path}: expected a split 'dev', found devtest"


def test_files_named_after_folders_of_splits_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "extra.csv", "holdout.csv", "holdout/a.csv")
    assert found(tmp_path)[1] == ["extra.csv"]


def test_only_other_splits(tmp_path: Path) -> None:
    touch(tmp_path, "dev/a.txt", "devtest/a.txt", "empty/notes.md")
    assert error_of(tmp_path) == f"{tmp_path}: expected a split 'train', found dev, devtest"


def test_labels_that_are_named_like_splits(tmp_path: Path) -> None:
    touch(tmp_path, "dev.txt", "test.txt", "deu_Latn.txt")
    assert found(tmp_path)[1] == ["deu_Latn.txt", "dev.txt", "test.txt"]


def test_mixed_kinds(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt", "sources.csv", "b.jsonl", "coverage.tsv")
    assert found(tmp_path) == (FileKind.JSON, ["b.jsonl"])
    touch(tmp_path, "a.parquet")
    assert found(tmp_path) == (FileKind.PARQUET, ["a.parquet"])
    (tmp_path / "b.jsonl").unlink()
    (tmp_path / "a.parquet").unlink()
    assert found(tmp_path) == (FileKind.CSV, ["coverage.tsv", "sources.csv"])


def test_files_given_by_name(tmp_path: Path) -> None:
    touch(tmp_path, "a.csv", "b.csv", "dev.csv", "c.parquet", "inside/d.csv")
    files = find_files(str(tmp_path), "train", ["dev.csv", "b.csv", "inside/d.csv", "b.csv"])
    assert files is not None
    assert files.kind is FileKind.CSV
    assert files.paths == tuple(tmp_path / name for name in ("b.csv", "dev.csv", "inside/d.csv"))
    for only, reason in (
        (["a.csv", "x.csv", "inside"], f"{tmp_path}: expected the files given, found no x.csv, inside"),
        (["a.csv", "c.parquet"], f"{tmp_path}: expected files of one kind among .*, found a.csv, c.parquet"),
    ):
        with pytest.raises(DataError, match=reason):
            find_files(str(tmp_path), "train", only)
    with pytest.raises(DataError, match=r"a\.csv: expected the directory of the files b\.csv, found none"):
        find_files(str(tmp_path / "a.csv"), "train", ["b.csv"])


def test_hidden_files_and_folders_named_like_files(tmp_path: Path) -> None:
    touch(tmp_path, ".hidden.parquet", "folder.parquet/x.md", "a.csv")
    assert found(tmp_path) == (FileKind.CSV, ["a.csv"])


def test_empty_directory(tmp_path: Path) -> None:
    assert error_of(tmp_path).endswith(", .txt, found an empty directory")
    touch(tmp_path, *(f"{number:02}.md" for number in range(25)))
    assert error_of(tmp_path).endswith("18.md, 19.md and 5 more")


@pytest.mark.skipif(os.name == "nt" or getattr(os, "geteuid", lambda: 1)() == 0, reason="needs file permissions")
def test_unreadable_directory_is_the_systems_error(tmp_path: Path) -> None:
    folder = touch(tmp_path / "closed", "a.csv")
    folder.chmod(0)
    try:
        with pytest.raises(PermissionError):
            find_files(str(folder), "train")
    finally:
        folder.chmod(0o700)


def test_listed() -> None:
    assert listed([]) == ""
    assert listed(["a", "b"]) == "a, b"
    assert listed(["x"] * 23) == ", ".join(["x"] * 20) + " and 3 more"


def test_one_line() -> None:
    assert one_line(ValueError("\n  first \nsecond")) == "first"
    assert one_line(StopIteration()) == "StopIteration"


def test_utf8_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for content in (b"", b"plain\n", "\ufeffgr\u00fc\u00df \U0001f600\u2028\0".encode()):
        path.write_bytes(content)
        check_utf8(path)


@pytest.mark.parametrize("character", ["\u00fc", "\u20ac", "\U0001f600"])
def test_character_across_blocks(character: str, tmp_path: Path) -> None:
    encoded = character.encode()
    path = tmp_path / "a.txt"
    for before in range(1, len(encoded)):
        path.write_bytes(b"x" * (BLOCK - before) + encoded + b"\n")
        check_utf8(path)


@pytest.mark.parametrize(
    ("content", "line", "byte", "offset"),
    [
        (b"\xff", 1, "ff", 0),
        (b"gut\nsch\xf6n\n", 2, "f6", 7),
        (b"\r\n\r\n\xe9", 3, "e9", 4),
        (b"cut short \xe2\x82", 1, "e2", 10),
        ("gut".encode("utf-16-le"), None, None, None),
        # A character that its end or another byte cuts short where a block ends is named by its first byte.
        (b"\n" + b"x" * (BLOCK - 2) + b"\xe2" + b"\x82\n", 2, "e2", BLOCK - 1),
        (b"\n" + b"x" * (BLOCK - 2) + b"\xe2" + b"xy\n", 2, "e2", BLOCK - 1),
        (b"x" * (BLOCK - 1) + b"\n" + b"ok\n\x80", 3, "80", BLOCK + 3),
        # The line is that of the byte, even if a character from the block before comes between.
        (b"x" * (BLOCK - 2) + "\u20ac".encode() + b"\xff\n", 1, "ff", BLOCK + 1),
        (b"x\n" * BLOCK + b"\xf8", BLOCK + 1, "f8", 2 * BLOCK),
        (b"x" * (BLOCK - 1) + "\u20ac\n".encode() + b"\xc3(", 2, "c3", BLOCK + 3),
    ],
)
def test_first_byte_that_is_not_utf8(
    content: bytes, line: int | None, byte: str | None, offset: int | None, tmp_path: Path
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    if line is None:
        # NUL is a character like any other.
        check_utf8(path)
        return
    with pytest.raises(DataError) as caught:
        check_utf8(path)
    expected = f"{path}: line {line}: expected UTF-8, found byte 0x{byte} at offset {offset} of the file ("
    assert str(caught.value).startswith(expected)


@settings(deadline=None, max_examples=60)
@given(tail=st.binary(max_size=40).map(lambda tail: b"\n" + tail), before=st.integers(0, 12))
def test_offset_agrees_with_decoding_at_once(
    tail: bytes, before: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "offset.txt"
    content = b"x" * (BLOCK - before) + tail
    path.write_bytes(content)
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        with pytest.raises(DataError, match=rf": line {line}: .* at offset {error.start} of the file"):
            check_utf8(path)
    else:
        check_utf8(path)


def test_fingerprint_is_of_names_and_contents(tmp_path: Path) -> None:
    first = touch(tmp_path / "one", "a.txt", "b.txt")
    second = tmp_path / "another" / "place"
    shutil.copytree(first, second)
    paths = [first / "a.txt", first / "b.txt"]
    known = files_fingerprint(paths)
    assert len(codecs.decode(known, "hex")) == 32
    assert files_fingerprint([second / "a.txt", second / "b.txt"]) == known
    os.utime(first / "a.txt", (0, 0))
    assert files_fingerprint(paths) == known
    assert files_fingerprint(paths[::-1]) != known
    assert files_fingerprint(paths[:1]) != known
    # The name is a label where the files are text.
    renamed = (second / "b.txt").rename(second / "c.txt")
    assert files_fingerprint([second / "a.txt", renamed]) != known
    (first / "b.txt").write_text("b.txT", encoding="utf-8")
    assert files_fingerprint(paths) != known


def test_fingerprint_of_swapped_contents_differs(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x", encoding="utf-8")
    (tmp_path / "b.txt").write_text("y", encoding="utf-8")
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    known = files_fingerprint(paths)
    (tmp_path / "a.txt").write_text("y", encoding="utf-8")
    (tmp_path / "b.txt").write_text("x", encoding="utf-8")
    assert files_fingerprint(paths) != known
