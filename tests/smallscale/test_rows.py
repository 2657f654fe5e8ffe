"""Rows: both schemas from both kinds of file, their keys, and what is refused where."""

import json
import math
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from selection.settings import SettingError
from smallscale.rows import PLAIN, VERL, Columns, Row, boxed, needed, read, stored

VERL_ROW = {
    "data_source": "math_dapo",
    "prompt": [{"role": "user", "content": "1+1?"}],
    "ability": "math",
    "reward_model": {"style": "rule", "ground_truth": "2"},
    "extra_info": {"split": "train", "index": 7},
}
PLAIN_ROW = {"id": "a", "problem": "1+1=", "answer": "2"}


def written(folder: Path, rows: list[Any], kind: str = ".jsonl") -> Path:
    path = folder / f"sums{kind}"
    if kind == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    else:
        parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


def one(columns: Columns = PLAIN, **changes: object) -> Row:
    base = VERL_ROW if columns is VERL else PLAIN_ROW
    return read({**base, **changes}, columns, where="here", family="sums")


@pytest.mark.parametrize("kind", [".jsonl", ".parquet"])
def test_plain_rows(tmp_path: Path, kind: str) -> None:
    rows = [PLAIN_ROW, {"id": "b", "problem": "2+2=", "answer": "4"}]
    assert list(stored(written(tmp_path, rows, kind))) == [
        Row(key="a", prompt="1+1=", content="1+1=", answer="2", family="sums"),
        Row(key="b", prompt="2+2=", content="2+2=", answer="4", family="sums"),
    ]


@pytest.mark.parametrize("kind", [".jsonl", ".parquet"])
def test_rows_of_verl(tmp_path: Path, kind: str) -> None:
    (row,) = stored(written(tmp_path, [VERL_ROW], kind))
    assert (row.key, row.answer, row.family) == ("math_dapo/7", "2", "math_dapo")
    assert row.prompt == VERL_ROW["prompt"]


def test_many_parquet_rows_keep_their_order(tmp_path: Path) -> None:
    rows = [
        {"problem": str(i), "answer": i} for i in range(1_200)
    ]  # more than are read at once
    found = [row.answer for row in stored(written(tmp_path, rows, ".parquet"))]
    assert found == [str(i) for i in range(1_200)]


def test_blank_lines_a_byte_order_mark_and_windows_endings_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(PLAIN_ROW).encode() + b"\r\n\n  \n")
    assert [row.key for row in stored(path)] == ["a"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("  2 ", "2"),
        (2, "2"),
        (142.0, "142"),
        (0.5, "0.5"),
        (None, ""),
        (math.nan, ""),
        ("", ""),
    ],
)
def test_answers_as_text(value: object, text: str) -> None:
    assert one(answer=value).answer == text
    assert one(VERL, reward_model={"ground_truth": value}).answer == text


def test_ids_may_be_numbers_and_may_lack() -> None:
    assert one(id=17).key == one(id=17.0).key == "17"
    assert one(VERL, extra_info={"index": "d-9"}).key == "math_dapo/d-9"
    hashed = one(id=None).key
    assert len(hashed) == 16
    assert read({"problem": "1+1=", "answer": "3"}, PLAIN, where="", family="x").key == hashed
    assert one(VERL, extra_info=None).key == one(VERL, extra_info={}).key


def test_hashed_keys_never_change() -> None:
    """They tie the records of runs together: written down, not computed."""
    assert one(id=None).key == "477d64453f163442"
    assert one(VERL, extra_info=None).key == "math_dapo/f9321022f2fcaa8f"


@given(st.text(), st.text())
def test_hashed_keys_tell_problems_apart_and_nothing_else(first: str, second: str) -> None:
    keys = [one(id=None, problem=first).key, one(id=None, problem=second, answer="9").key]
    assert (keys[0] == keys[1]) == (first == second)


def test_a_data_source_that_is_null_is_the_file() -> None:
    assert one(VERL, data_source=None).key == "sums/7"


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        (r"so \boxed{4}.", "4"),
        (r"first \boxed{3}, then \boxed{ 5 }", "5"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed {\{1, 2\}} and {more}", r"\{1, 2\}"),
        (r"\fbox{7}", "7"),
        (
            r"\boxed{\left\{\begin{array}{l}x\\y\end{array}\right.}",
            r"\left\{\begin{array}{l}x\\y\end{array}\right.",
        ),
        (r"\boxed{a\\}", r"a\\"),
        (r"\boxed{}", ""),
        (r"\boxed{4", None),
        (r"\boxed{3} but \boxed{4", None),
        (r"unboxed {4}", None),
        ("", None),
    ],
)
def test_the_answer_is_what_the_last_box_holds(solution: str, answer: str | None) -> None:
    assert boxed(solution) == answer
    columns = Columns(answer="solution", boxed=True)
    assert (
        read({"problem": "p", "solution": solution}, columns, where="", family="").answer
        == answer
    )


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"problem": "1"', "no JSON (Expecting ',' delimiter): expected an object such as {"),
        ("[1]", "is a list, expected an object such as {"),
        ('{"problem": "1"}', "no column answer, only problem: expected problem, answer and"),
        ('{"question": "1", "answer": 1}', "has no column problem, only question, answer: exp"),
        ('{"problem": "1", "answer": true}', "answer must be text or a number, found a bool"),
        (
            '{"problem": {"x": 1}, "answer": 1}',
            "problem must be text or a number, found a dict",
        ),
        ('{"problem": ["x"], "answer": 1}', "problem must hold messages with role and content"),
        ('{"problem": [{"role": "user"}], "answer": 1}', "must hold messages with role and"),
        ('{"problem": [{"role": 1, "content": "x"}], "answer": 1}', "must hold messages with"),
        (
            '{"id": [1], "problem": "1", "answer": 1}',
            "id must be text or a number, found a list",
        ),
        ('{"problem": "\\ud800", "answer": 1}', "problem holds half a surrogate pair"),
        ('{"problem": [{"role": "user", "content": "\\ud800"}], "answer": 1}', "half a surr"),
        (
            '{"reward_model": {}, "prompt": [], "data_source": ""}',
            "no column reward_model.ground",
        ),
        ('{"reward_model": {"ground_truth": 1}}', "no column prompt, only reward_model: exp"),
        ('{"reward_model": {"ground_truth": 1}, "prompt": []}', "no column data_source"),
        ("\udcff", "is no JSON ("),
        ("[" * 100_000, "is no JSON ("),
    ],
)
def test_a_line_that_is_no_row_is_refused_with_its_place(
    tmp_path: Path, line: str, complaint: str
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(f"{json.dumps(PLAIN_ROW)}\n\n{line}\n".encode(errors="surrogateescape"))
    with pytest.raises(SettingError) as refused:
        list(stored(path))
    message = str(refused.value)
    assert message.startswith(f"{path}, line 3")
    assert complaint in message
    assert "\n" not in message


def test_both_schemas_are_named_where_a_column_lacks(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="expected problem, answer and optionally id") as it:
        list(stored(written(tmp_path, [{"question": 1}])))
    assert "data_source, prompt, reward_model.ground_truth and optionally" in str(it.value)


def test_a_parquet_row_is_refused_with_its_number(tmp_path: Path) -> None:
    path = written(tmp_path, [{"problem": "1", "answer": [1]}], ".parquet")
    with pytest.raises(SettingError, match=r"sums\.parquet, row 1: answer must be text"):
        list(stored(path))


def test_files_of_other_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"x\.csv must be named \.jsonl or \.parquet"):
        list(stored(tmp_path / "x.csv"))
    (tmp_path / "x.parquet").write_text("no such thing")
    with pytest.raises(SettingError, match=r"x\.parquet is no Parquet file \("):
        list(stored(tmp_path / "x.parquet"))
    with pytest.raises(FileNotFoundError, match=r"y\.jsonl"):
        list(stored(tmp_path / "y.jsonl"))


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pyarrow.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        SettingError, match=r"needs the package pyarrow: pip install 'passband\[train\]'"
    ):
        list(stored(Path("x.parquet")))


def test_a_package_that_lacks_one_of_its_own_parts_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_package.py").write_text("import no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        needed("broken_package", "data", "it")
