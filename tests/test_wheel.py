"""The wheel holds all the rooms and their data, and works where nothing else is installed."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel with a space")
    build = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT)
    run(*build, cwd=out)
    (made,) = out.glob("*.whl")
    return made


def test_the_wheel_holds_every_room_with_its_types_and_data(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    rooms = ("selection", "theory", "report", "sim", "smallscale")
    for room in rooms:
        assert f"{room}/__init__.py" in names
        assert f"{room}/py.typed" in names
    for room in ("sim", "theory"):
        data = {f"{room}/data/{path.name}" for path in (ROOT / room / "data").iterdir()}
        assert len(data) > 5
        assert data <= names
    assert {name.split("/")[0] for name in names if not name.startswith("passband")} == set(
        rooms
    )


def test_installed_alone_elsewhere_it_answers_for_help(wheel: Path, tmp_path: Path) -> None:
    """No dependency is installed beside it, so the front door imports none of them."""
    home = tmp_path / "home of its own"
    run(sys.executable, "-m", "venv", "--without-pip", home, cwd=tmp_path)
    python = home / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--no-deps")
    run(*pip, "--disable-pip-version-check", "--quiet", wheel, cwd=tmp_path)
    said = run(home / "bin" / "passband", "--help", cwd=tmp_path)
    assert "compare" in said
    assert run(home / "bin" / "passband", "--version", cwd=tmp_path).strip() == "0.1.0"
