"""Generates both SDKs from an OpenAPI document: `python3 sdk/generate [DOCUMENT]`."""

from __future__ import annotations

import sys
from pathlib import Path

import go
import python
from contract import Contract

HOME = Path(__file__).resolve().parent.parent


def main() -> None:
    contract = Contract.read(Path(sys.argv[1]) if len(sys.argv) > 1 else HOME / "openapi.json")
    python.write(contract, HOME / "python/src/aiinfra")
    go.write(contract, HOME / "go")


if __name__ == "__main__":
    main()
