"""Which package may import which, and that each top-level name is ours."""

import ast
import os
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("selection", "theory", "report", "sim", "smallscale")
MAY_IMPORT = {
    "selection": {"selection"},
    "theory": {"theory"},
    "report": {"report"},
    "sim": {"sim", "selection", "theory", "report"},
    "smallscale": {"smallscale", "selection", "report"},
}
INSTALLED = any(found.name == "passband" for found in distributions(name="passband"))
PATH = {} if INSTALLED else {"PYTHONPATH": str(ROOT)}  # what is installed is what is tested
GPU_STACK = {"torch", "transformers", "vllm", "math_verify", "datasets", "safetensors"}
HEAVY = {"matplotlib", "pandas", "scipy", "seaborn", "sympy", "joblib", "numpy", "tyro", "rich"}


def imports(file: Path) -> set[str]:
    """First parts of the absolute names that a module imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: relative import in line {node.lineno}"
            found.add((node.module or "").partition(".")[0])
    return found


def python(code: str, folder: Path) -> list[str]:
    """Lines printed by `code`, run outside the repository, as a notebook would."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | PATH,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


LOADED = "import sys; print(*{name.partition('.')[0] for name in sys.modules}, sep='\\n')"


def loaded(code: str, folder: Path) -> set[str]:
    """Top-level modules in memory once `code` has run."""
    return set(python(f"{code}\n{LOADED}", folder))


@pytest.mark.parametrize("package", PACKAGES)
def test_arrows_between_packages(package: str) -> None:
    for file in (ROOT / package).rglob("*.py"):
        others = imports(file) & {*PACKAGES, "passband", "tests", "notebooks"}
        assert others <= MAY_IMPORT[package], file


def test_selection_needs_numpy_alone() -> None:
    standard = sys.stdlib_module_names
    for file in (ROOT / "selection").rglob("*.py"):
        assert imports(file) - standard <= {"selection", "numpy", "jaxtyping"}, file


@pytest.mark.parametrize("package", ["selection", "theory", "report", "sim"])
def test_only_small_models_need_the_gpu_stack(package: str) -> None:
    for file in (ROOT / package).rglob("*.py"):
        assert not imports(file) & GPU_STACK, file


def test_the_scan_sees_an_import_wherever_it_stands(tmp_path: Path) -> None:
    """The control of the tests above."""
    file = tmp_path / "x.py"
    file.write_text("def f():\n    from torch.nn import Linear\n    import sim.cli as c\n")
    assert imports(file) == {"torch", "sim"}


@pytest.mark.parametrize("package", [*PACKAGES, "passband"])
def test_top_level_name_resolves_to_this_repository(package: str, tmp_path: Path) -> None:
    (file,) = python(f"import {package}; print({package}.__file__)", tmp_path)
    single = ROOT / f"{package}.py"
    assert Path(file) == (single if single.exists() else ROOT / package / "__init__.py")


@pytest.mark.parametrize(
    ("code", "forbidden"),
    [
        ("import selection", {"sim", "theory", "report", "smallscale"} | HEAVY - {"numpy"}),
        ("import theory.moments", {"sim", "selection", "report", "smallscale"}),
        ("import report.record", {"sim", "selection", "theory", "smallscale"}),
        ("import report.page", {"sim", "selection", "theory", "smallscale"}),
        ("import sim.cli", {"smallscale"}),
        ("import sim.compare", {"matplotlib", "seaborn", "pandas", "smallscale"}),
    ],
)
def test_an_import_loads_no_more_than_it_may(
    code: str, forbidden: set[str], tmp_path: Path
) -> None:
    """A simulated cell in a process of its own needs no plotting, nor any import a GPU."""
    assert not loaded(code, tmp_path) & (forbidden | GPU_STACK)


@pytest.mark.parametrize("args", [["--help"], [], ["frob"]])
def test_the_front_door_opens_no_room_that_is_not_asked_for(
    args: list[str], tmp_path: Path
) -> None:
    code = f"""
import contextlib, io, passband, sys
sys.argv = ["passband", *{args}]
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    with contextlib.suppress(SystemExit):
        passband.main()
"""
    assert not loaded(code, tmp_path) & ({*PACKAGES} | HEAVY | GPU_STACK)
