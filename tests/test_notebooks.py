"""Every notebook runs, ends in an assertion, and shows what a fresh execution shows."""

import ast
import re
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from PIL import Image

from notebooks.execute import METADATA, fresh, main, notebooks

SMALL = 0.1  # fraction of the draws with which every assertion has to hold, too
every_notebook = pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)


def stored(path: Path) -> NotebookNode:
    """A notebook as it is in the repository."""
    notebook: NotebookNode = nbformat.read(path, as_version=4)
    return notebook


def outputs(notebook: NotebookNode) -> list[Any]:
    """All outputs of all cells, in their order."""
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def texts(notebook: NotebookNode) -> list[list[str]]:
    """What each cell with code says, in print and in every textual form of what it shows."""
    return [
        [text for output in cell.outputs for text in _said(output)]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def _said(output: NotebookNode) -> list[str]:
    if output.output_type == "stream":
        return [output.name, output.text]
    if output.output_type == "error":
        return [output.ename, output.evalue]
    return [text for kind, text in sorted(output.data.items()) if kind.startswith("text/")]


def code(notebook: NotebookNode) -> list[str]:
    """Sources of the cells with code."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def complaints(notebook: NotebookNode) -> list[str]:
    """What was written on stderr, warnings among it."""
    return [o.text for o in outputs(notebook) if o.get("name") == "stderr"]


@every_notebook
def test_its_assertion_holds_with_a_small_fraction_of_the_draws(path: Path) -> None:
    assert not complaints(fresh(path, SMALL))


@every_notebook
def test_its_text_is_that_of_a_fresh_execution(path: Path) -> None:
    now = fresh(path)
    assert texts(now) == texts(stored(path)), "make notebooks renews what is stored"
    assert not complaints(now)


@every_notebook
def test_it_asks_one_question_and_ends_in_an_assertion(path: Path) -> None:
    notebook = stored(path)
    first, *_ = notebook.cells
    assert re.match(r"# .*\n\n", first.source), "a title, then what is asked"
    assert "?" in first.source
    assert 8 <= len(notebook.cells) <= 16
    assert isinstance(ast.parse(code(notebook)[-1]).body[-1], ast.Assert)
    assert notebook.cells[-1].cell_type == "code"


@every_notebook
def test_its_cells_define_no_function_longer_than_a_lambda(path: Path) -> None:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    nodes = (node for text in code(stored(path)) for node in ast.walk(ast.parse(text)))
    assert not [node.name for node in nodes if isinstance(node, kinds)]


@every_notebook
def test_its_draws_are_a_fraction_that_the_reader_may_set(path: Path) -> None:
    reads = 'fraction = float(os.environ.get("PASSBAND_FRACTION", "1"))'
    cells = code(stored(path))
    assert reads in cells[0]
    assert "\n".join(cells).count("fraction") > 1


@every_notebook
def test_it_is_stored_as_it_is_written(path: Path) -> None:
    """By `make notebooks`: all cells run once in order, nothing about who ran them."""
    notebook = stored(path)
    cells = notebook.cells
    counts = [cell.execution_count for cell in cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert notebook.metadata == METADATA
    assert [cell.id for cell in cells] == [f"cell-{i:02}" for i in range(len(cells))]
    assert not any(cell.metadata for cell in cells)
    assert nbformat.writes(notebook) + "\n" == path.read_text(encoding="utf-8")


@every_notebook
def test_it_is_small_and_says_nothing_of_the_machine_that_ran_it(path: Path) -> None:
    assert path.stat().st_size < 200_000
    said = "\n".join(text for cell in texts(stored(path)) for text in cell)
    assert not re.findall(r"/(?:home|tmp|work|usr|root|Users)/|[A-Z]:\\| at 0x[0-9a-f]+", said)
    assert not re.findall(r"\b20\d\d-\d\d-\d\d\b|\b\d\d:\d\d:\d\d\b", said)


@every_notebook
def test_it_shows_what_it_finds(path: Path) -> None:
    shown = [text for cell in texts(stored(path)) for text in cell]
    assert len(shown) >= 3
    assert "Error" not in "".join(shown)


def made(folder: Path, *sources: str) -> Path:
    """A notebook of cells with code, never executed."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    path = folder / "made.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_a_failing_assertion_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(CellExecutionError, match="AssertionError"):
        fresh(made(tmp_path, "assert 1 > 2"))


def test_a_notebook_learns_its_fraction_and_imports_this_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    path = made(
        tmp_path,
        "import os, sys, theory, warnings",
        "print(os.environ['PASSBAND_FRACTION'], theory.__file__)",
        "warnings.warn('beware')",
    )
    done = fresh(path, 0.25)
    house = Path(__file__).parents[1]
    assert texts(done)[1] == ["stdout", f"0.25 {house}/theory/__init__.py\n"]
    assert "beware" in complaints(done)[0]
    assert done.metadata == METADATA
    assert [cell.id for cell in done.cells] == ["cell-00", "cell-01", "cell-02"]
    assert not any(cell.metadata for cell in done.cells)


def test_the_text_of_a_table_is_compared_in_every_form(tmp_path: Path) -> None:
    sources = [
        f"import pandas as pd; pd.DataFrame({{'a': [{number}]}})" for number in (1, 2, 1)
    ]
    one, other, again = texts(fresh(made(tmp_path, *sources)))
    assert one == again != other
    assert len(one) == 2  # plain and HTML


def test_writing_a_notebook_twice_leaves_the_same_small_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = "plt.subplots(figsize=(4, 3), facecolor='#0072b2')[1].plot([0, 1]);"
    path = made(tmp_path, f"import matplotlib.pyplot as plt\n{draw}")
    monkeypatch.setattr("sys.argv", ["execute.py", str(path)])
    main()
    once = path.read_bytes()
    main()
    assert path.read_bytes() == once
    (shown,) = outputs(stored(path))
    picture = Image.open(BytesIO(b64decode(shown.data["image/png"])))
    assert (picture.format, picture.mode) == ("PNG", "P")
    assert picture.convert("RGB").getpixel((3, 3)) == (0x00, 0x72, 0xB2)
    assert picture.width > picture.height > 200
