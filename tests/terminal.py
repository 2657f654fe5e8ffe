"""A terminal for tests: the console command, run in this process."""

import sys

import pytest

import passband


class Terminal:
    """Runs commands in this process.

    Attributes:
        prefix: Words that every command begins with.
    """

    def __init__(
        self, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *prefix: str
    ) -> None:
        self.patch, self.capsys, self.prefix = patch, capsys, prefix

    def __call__(self, *args: str) -> tuple[int, str, str]:
        """Exit status, stdout and stderr of a command."""
        self.patch.setattr(sys, "argv", ["passband", *self.prefix, *args])
        status: object = 0
        try:
            passband.main()
        except SystemExit as ended:
            status = ended.code or 0
        assert isinstance(status, int)
        said, complaint = self.capsys.readouterr()
        return status, said, complaint
