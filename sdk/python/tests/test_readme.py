"""The examples of the README, run one after the other as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from aiinfra import Client

README = Path(__file__).parents[1] / "README.md"


def test_examples_run(admin: Client, control_plane: str) -> None:
    token = admin._connection.options.token
    scope: dict[str, Any] = {"__name__": "readme"}
    for example in re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL):
        there = example.replace("http://localhost:8080", control_plane).replace("your-token", token or "")
        exec(compile(there, README.name, "exec"), scope)
    assert scope["claim"].id
    assert scope["cursor"]
