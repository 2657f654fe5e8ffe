import pickle
from errno import ENOSPC
from pathlib import Path

import pytest

from report import atomic
from report.atomic import UnwritableError
from tests.report.runs import run


def test_newlines_are_the_same_everywhere(tmp_path: Path) -> None:
    atomic.write(tmp_path / "a", "α\nβ\n")
    assert (tmp_path / "a").read_bytes() == "α\nβ\n".encode()


def test_an_interrupted_write_leaves_the_old_file_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    atomic.write(path, "old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        atomic.write(path, "new")
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]


def test_a_half_written_text_is_never_at_the_final_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write itself fails half way, as on a full disk."""
    path, write = tmp_path / "table.csv", Path.write_bytes
    atomic.write(path, "old")

    def half(self: Path, content: bytes) -> int:
        write(self, content[: len(content) // 2])
        raise OSError(ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(UnwritableError) as caught:
        atomic.write(path, "new and longer")
    reason, mend = "No space left on device", "free some space, then run again"
    assert str(caught.value) == f"{path} cannot be written ({reason}): {mend}"
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


def test_an_interruption_that_is_no_error_of_the_disk_stays_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic.write(tmp_path / "a", "text")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("folder", "a folder is in its place, move it away"),
        ("file/a", "a folder on its way is a file, move that away"),
        ("none/a", "make its folder first"),
        ("n" * 300, "shorten the name"),
    ],
)
def test_what_stands_in_the_way_is_named_with_its_mend(
    tmp_path: Path, name: str, mend: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(UnwritableError) as caught:
        atomic.write(tmp_path / name, "text")
    assert str(caught.value).startswith(f"{tmp_path / name} cannot be written (")
    assert str(caught.value).endswith(f"): {mend}")
    assert "\n" not in str(caught.value)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "folder"]


def test_a_record_that_cannot_be_saved_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnwritableError, match=r"run\.json cannot be written"):
        run().save(tmp_path / "none" / "run.json")


def test_a_folder_is_made_once_and_never_over_a_file(tmp_path: Path) -> None:
    made = atomic.folder(tmp_path / "out" / "plots")
    assert made.is_dir()
    assert atomic.folder(made) == made
    atomic.write(made / "file", "text")
    with pytest.raises(UnwritableError, match="a file is in its place, move it away"):
        atomic.folder(made / "file")
    with pytest.raises(UnwritableError, match="a folder on its way is a file"):
        atomic.folder(made / "file" / "below")


def test_the_error_travels_between_processes() -> None:
    error = UnwritableError("x cannot be written (why): mend")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
