"""The text of every error of a model file, and of YAML: one line that names the file and the key, what was expected and
what was found."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wldetect.config import load_model_config
from wldetect.errors import ConfigError

from .error_cases import MODEL, Write, cases, expand, message

MODEL_ERRORS = r"""
model: {name: m, type: t, hidden_dim: 8, hidden_dims: 8}
    model.hidden_dims: $MODEL; did you mean 'hidden_dim'?
model: {name: m, type: t, hidden_dim: 8, zzz: 8}
    model.zzz: $MODEL
-languages | language: {a: 0}
    language: $MODEL_FILE; did you mean 'languages'? (and 1 more)
model: {name: m, type: t}
    model.hidden_dim: missing required key; expected int > 0
-languages
    languages: missing required key; expected a mapping of one or more codes to indices
model: {name: m, type: t, hidden_dim: '8'}
    model.hidden_dim: expected int > 0, found '8' (str)
model: {name: m, type: t, hidden_dim: 0}
    model.hidden_dim: expected int > 0, found 0 (int)
model: {name: m, type: t, hidden_dim: 8.0}
    model.hidden_dim: expected int > 0, found 8.0 (float)
model: {name: m, type: t, hidden_dim: true}
    model.hidden_dim: expected int > 0, found true (bool)
model: {name: 3, type: t, hidden_dim: 8}
    model.name: expected text, found 3 (int); put it in quotes
model: {name: ' ', type: t, hidden_dim: 8}
    model.name: $TEXT, found ' ' (str)
model: {name: "a\nb", type: t, hidden_dim: 8}
    model.name: $TEXT, found 'a\nb' (str)
model: gemma
    model: expected a mapping or null, found 'gemma' (str)
model: {name: m, type: t, hidden_dim: 8, revision: 1e10}
    model.revision: expected text or null, found 10000000000.0 (float); put it in quotes
model: {name: m, type: t, hidden_dim: 8, sha256: abc}
    model.sha256: expected 64 hexadecimal digits or null, found 'abc' (str)
model: {name: m, type: t, hidden_dim: 8, source: 'pypi:'}
    model.source: expected 'pypi:PACKAGE', found 'pypi:' (str)
-model
    model: missing required key; expected a mapping here or a list of them in 'models'
models: [{name: m, type: t, hidden_dim: 8}]
    models: expected either 'model' or 'models', found both
-model | models: []
    models: expected a list of one or more mappings or null, found an empty list
-model | models: {name: m}
    models: expected a list of one or more mappings or null, found a mapping
-model | models: [{name: m, type: t, hidden_dim: 8}, {name: n, type: u, hidden_dim: 8}]
    models[1].type: expected 't', the type of models[0], found 'u' (str)
-model | models: [{name: m, type: t, hidden_dim: 8}, {name: n, typo: t, hidden_dim: 8}]
    models[1].typo: $MODEL; did you mean 'type'? (and 1 more)
-model | models: [gemma]
    models[0]: expected a mapping, found 'gemma' (str)
languages: {}
    languages: expected a mapping of one or more codes to indices, found an empty mapping
languages: [a, b]
    languages: expected a mapping of one or more codes to indices, found a list
languages: {a: zero}
    languages.a: expected int, found 'zero' (str)
languages: {a: 0, b: 2}
    languages.b: expected indices 0 to 1 for 2 languages, each once; found 2, and 1 is missing
languages: {a: 0, b: 1} | hidden_languages: [a, c]
    hidden_languages[1]: expected one of the 2 codes of languages, each once; found 'c' (str)
languages: {a: 0, b: 1} | hidden_languages: [a, a]
    hidden_languages[1]: expected one of the 2 codes of languages, each once; found 'a' (str)
languages: {a: 0, b: 1} | hidden_languages: [a, b]
    hidden_languages: expected one language at least that is not hidden, found none
languages: {a: 1, b: 2}
    languages.b: expected indices 0 to 1 for 2 languages, each once; found 2, and 0 is missing
languages: {a: -1, b: 0}
    languages.a: expected indices 0 to 1 for 2 languages, each once; found -1, and 1 is missing
languages: {a: 0, b: 1, c: 1}
    languages.c: expected an index of its own, found 1, the index of 'b'
languages: {'a b': 0}
    languages.a b: $CODE, found 'a b' (str)
languages: {"a\tb": 0}
    languages.'a\tb': $CODE, found 'a\tb' (str)
languages: {'': 0}
    languages.'': $CODE, found '' (str)
inference: {pooling: maximum}
    inference.pooling: expected one of average, logsumexp, max, found 'maximum' (str); did you mean 'max'?
inference: {pooling: sum}
    inference.pooling: expected one of average, logsumexp, max, found 'sum' (str)
inference: {max_sequence_length: 0}
    inference.max_sequence_length: expected int > 0, found 0 (int)
inference: null
    inference: expected a mapping, found null
features: {ngram: {}}
    features.ngram: unknown key; expected one of ngrams; did you mean 'ngrams'?
features: {ngrams: {row: 8}}
    features.ngrams.row: $NGRAMS; did you mean 'rows'?
features: {ngrams: true}
    features.ngrams: expected a mapping or null, found true (bool)
features: {ngrams: {n_min: 6}}
    features.ngrams.n_min: expected at most n_max (5), found 6 (int)
features: {ngrams: {n_min: 0}}
    features.ngrams.n_min: expected int from 1 to 16, found 0 (int)
features: {ngrams: {n_max: 17}}
    features.ngrams.n_max: expected int from 1 to 16, found 17 (int)
features: {ngrams: {rows: 0}}
    features.ngrams.rows: expected int from 1 to 2147483648, found 0 (int)
features: {ngrams: {rows: 2147483649}}
    features.ngrams.rows: expected int from 1 to 2147483648, found 2147483649 (int)
features: {ngrams: {dimensions: 0}}
    features.ngrams.dimensions: expected int > 0 or null, found 0 (int)
features: {ngrams: {splitting: space}}
    features.ngrams.splitting: $SPLITTING, found 'space' (str); did you mean 'spaces'?
features: {ngrams: {splitting: words}}
    features.ngrams.splitting: $SPLITTING, found 'words' (str)
features: null
    features: expected a mapping, found null
"""

TAG = "could not determine a constructor for the tag 'tag:yaml.org,2002"
YAML_ERRORS: list[tuple[bytes, str]] = [
    (b"", "expected a mapping of keys to values, found an empty file"),
    (b"# only a comment\n", "expected a mapping of keys to values, found an empty file"),
    (b"- a\n- b\n", "expected a mapping of keys to values, found a list"),
    (b"just text", "expected a mapping of keys to values, found 'just text' (str)"),
    (b"null", "expected a mapping of keys to values, found null"),
    (b"name: caf\xe9", "expected UTF-8 text, found byte 0xe9 at offset 9"),
    (b"\xff\xfen\x00", "expected UTF-8 text, found byte 0xff at offset 0"),
    (b"a: 1\nb: 2\na: 3\n", "a: duplicate key on line 3, first on line 1"),
    (b"a:\n  b: [{c: 1,\n    c: 2}]\n", "a.b[0].c: duplicate key on line 3, first on line 2"),
    (b"languages:\n  1: 0\n", "languages.1: line 2: expected text as a key; put it in quotes"),
    (b"null: 0\n", "null: line 1: expected text as a key; put it in quotes"),
    (b"? [a]\n: 1\n", "line 1: expected text as a key, found a list or mapping"),
    (b"a: 1\nb: [1,\n2\n", "line 4: not valid YAML: expected ',' or ']', but got '<stream end>'"),
    (b"a: 1\n b: 2\n", "line 2: not valid YAML: mapping values are not allowed here"),
    (b"a: 1\nb:\t\x07\n", "line 2: not valid YAML: special characters are not allowed (U+0007)"),
    (b"a: 1\n---\nb: 2\n", "line 2: not valid YAML: but found another document"),
    (b"a: *b\n", "line 1: not valid YAML: found undefined alias 'b'"),
    (b"a: !!python/name:os.system x\n", f"line 1: not valid YAML: {TAG}:python/name:os.system'"),
    (b"a: 1\nb: !!timestamp x\n", f"line 2: not valid YAML: {TAG}:timestamp'"),
    (b"a: !!int x\n", "line 1: not valid YAML: 'x' is not a 64-bit integer"),
    (b"a: !!float x\n", "line 1: not valid YAML: 'x' is not a number"),
    (b"a: !!bool x\n", "line 1: not valid YAML: 'x' is not true or false"),
    (b"a: 1\nb: 9223372036854775808\n", "line 2: not valid YAML: '9223372036854775808' is not a 64-bit integer"),
    (b"a: " + b"9" * 10_000, f"line 1: not valid YAML: '{'9' * 40}' is not a 64-bit integer"),
    (b"a: " + b"[" * 5_000, "not valid YAML: nested too deeply"),
    (b"a: &x {b: *x}\n", "a: $MODEL_FILE (and 1 more)"),
    (b"<<: {a: 1}\n", "<<: $MODEL_FILE (and 1 more)"),
]


def test_the_file_that_the_table_changes_is_valid(write: Write) -> None:
    assert load_model_config(write("x.yaml", "\n".join(MODEL.values()))).labels == ("a",)


@pytest.mark.parametrize(("text", "expected"), cases(MODEL_ERRORS, MODEL))
def test_model_errors(write: Write, text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_model_config(write("m.yaml", text))
    assert message(error) == f"m.yaml: {expected}"


@pytest.mark.parametrize(("raw", "expected"), YAML_ERRORS)
def test_yaml_errors(write: Write, raw: bytes, expected: str) -> None:
    path = write("m.yaml", "")
    path.write_bytes(raw)
    with pytest.raises(ConfigError) as error:
        load_model_config(path)
    assert message(error) == f"m.yaml: {expand(expected)}"


def test_aliases_that_would_expand_to_billions_of_nodes_are_refused_at_once(write: Write) -> None:
    rows = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40)]
    with pytest.raises(ConfigError, match="a0: unknown key"):
        load_model_config(write("m.yaml", "\n".join(rows)))


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"a: \x85")
@settings(max_examples=200, deadline=None)
def test_no_bytes_give_anything_but_a_config_error(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(raw)
    with pytest.raises(ConfigError) as error:
        load_model_config(path)
    message(error)
