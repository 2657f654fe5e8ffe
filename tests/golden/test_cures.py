from typing import Any

import pytest

from tests.golden.cures import replay
from tests.golden.traces import traces


@pytest.mark.parametrize("trace", traces("cures"), ids=lambda trace: trace["name"])
def test_recorded_selection_is_reproduced(trace: dict[str, Any]) -> None:
    replay(trace)
