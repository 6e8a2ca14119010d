"""Data sets of a hub through the real `datasets` library."""

from __future__ import annotations

import json
from collections.abc import Callable

from loopback_hub import Kind, LoopbackHub, Repository

from .files import data_set_card, parquet

Outcome = Callable[..., tuple[int, str, str]]
CORPUS = """
import json, sys
from wldetect.data.columns import Columns
from wldetect.data.sources import load_hub, read_hub

try:
    tables = read_hub(load_hub(sys.argv[1], sys.argv[2]), Columns(("text", "language")), sys.argv[1])
    print(json.dumps([[row["text"], row["language"]] for table in tables for row in table.to_pylist()]))
except (OSError, ValueError) as error:
    print(f"{type(error).__name__}: {error}")
"""
FLORES = """
import json, sys
from wldetect.evaluation import load_flores

try:
    found = load_flores("org/flores", "dev")
    print(json.dumps([found.texts, found.labels]))
except (OSError, ValueError) as error:
    print(f"{type(error).__name__}: {error}")
"""


def test_parquet_files_of_two_splits(hub: LoopbackHub, outcome: Outcome) -> None:
    corpus = hub.add(Repository("org/corpus", Kind.DATASET))
    parts = [parquet({"text": [f"text {part}"], "language": ["deu_Latn"]}) for part in range(3)]
    corpus.commit(
        {
            "README.md": b"# Data",
            "data/train-00000-of-00002.parquet": parts[0],
            "data/train-00001-of-00002.parquet": parts[1],
            "data/test-00000-of-00001.parquet": parts[2],
        }
    )
    status, out, err = outcome("-c", CORPUS, "org/corpus", "train")
    assert (status, json.loads(out), err) == (0, [["text 0", "deu_Latn"], ["text 1", "deu_Latn"]], "")
    status, out, err = outcome("-c", CORPUS, "org/corpus", "dev")
    assert (status, err) == (0, "")
    assert out.startswith("DataError: org/corpus: no such file or directory, and split 'dev' cannot be loaded from ")
    status, out, err = outcome("-c", CORPUS, "org/none", "train")
    assert (status, err) == (0, "")
    assert out.startswith("FileNotFoundError: [Errno 2] no such file or directory, and no such dataset on the hub (")


def test_flores_is_gated(hub: LoopbackHub, outcome: Outcome) -> None:
    hub.tokens |= {"reader", "stranger"}
    flores = hub.add(Repository("org/flores", Kind.DATASET, gated=True, readers={"reader"}))
    columns = {
        "id": [1, 2],
        "iso_639_3": ["deu", "eng"],
        "iso_15924": ["Latn", "Latn"],
        "text": ["Guten Tag.", "Hello."],
    }
    flores.commit(
        {
            "README.md": data_set_card(dev="dev/*.parquet", devtest="devtest/*.parquet"),
            "dev/a.parquet": parquet(columns),
            "devtest/a.parquet": parquet({**columns, "text": ["x", "y"]}),
        }
    )
    for token in (None, "stranger"):
        status, out, err = outcome("-c", FLORES, token=token)
        assert (status, err) == (0, "")
        assert "no such dataset on the hub (Dataset 'org/flores' is a gated dataset on the Hub." in out
    status, out, err = outcome("-c", FLORES, token="reader")
    assert (status, err) == (0, "")
    assert json.loads(out) == [["Guten Tag.", "Hello."], ["deu_Latn", "eng_Latn"]]
    assert not any("authorization" in request.headers for request in hub.asked("cdn"))
