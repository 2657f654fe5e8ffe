"""Notebooks as a fresh execution leaves them: the same bytes every time.

`python notebooks/execute.py` executes every notebook of this folder, or those named, in full
and writes it back: with its outputs, pictures in few colours (a third of the bytes), the ids of
cells by their place, and no more metadata than a reader's Jupyter needs. `PASSBAND_FRACTION`
tells a notebook which fraction of its draws to make.
"""

import os
import sys
from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

FOLDER = Path(__file__).parent
COLORS = 256  # of a palette: fewer spoil the ends of colour bars
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def notebooks() -> list[Path]:
    """Paths of the notebooks, in the order of their numbers."""
    return sorted(FOLDER.glob("*.ipynb"))


def fresh(path: Path, fraction: float = 1.0) -> NotebookNode:
    """A notebook as a new kernel leaves it that makes a fraction of the draws.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell fails, such as an assertion at the end.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        record_timing=False,  # the times of cells would differ each time
        extra_arguments=["--log-level=ERROR"],  # kernels warn of ports, on every machine
        resources={"metadata": {"path": str(FOLDER)}},
    )
    client.execute(env=_environment(fraction))
    notebook.metadata = nbformat.from_dict(METADATA)
    for place, cell in enumerate(notebook.cells):
        cell.id = f"cell-{place:02}"
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = _smaller(output.data["image/png"])
    return notebook


def _smaller(picture: str) -> str:
    """A picture, PNG in base 64, in few colours."""
    small = BytesIO()
    drawn = Image.open(BytesIO(b64decode(picture))).convert("RGB")
    drawn.quantize(COLORS).save(small, "PNG", optimize=True)
    return b64encode(small.getvalue()).decode()


def _environment(fraction: float) -> dict[str, str]:
    """Environment of a kernel, in which this checkout is imported wherever it lies."""
    paths = [str(FOLDER.parent), os.environ.get("PYTHONPATH", "")]
    return os.environ | {
        "PASSBAND_FRACTION": str(fraction),
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }


def main() -> None:
    """Every notebook, or those named, executed in full and written back."""
    for path in map(Path, sys.argv[1:] or notebooks()):
        nbformat.write(fresh(path), path)
        print(path.name)


if __name__ == "__main__":
    main()
