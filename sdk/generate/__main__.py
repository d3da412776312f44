"""Generates both SDKs from an OpenAPI document: `python3 sdk/generate DOCUMENT DIRECTORY`."""

from __future__ import annotations

import sys
from pathlib import Path

import go
import python
from contract import Contract


def main() -> None:
    """Reads the document, and writes what is made from it."""
    contract, out = Contract.read(Path(sys.argv[1])), Path(sys.argv[2])
    python.write(contract, out / "python/src/aiinfra")
    go.write(contract, out / "go")


if __name__ == "__main__":
    main()
