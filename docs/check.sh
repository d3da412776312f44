#!/usr/bin/env bash
# Everything that holds for the book: its reference is what the contract and the programs make, and every command in it does what it says.
#
#   check.sh [PAGE...]               run the commands of these pages only
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../sdk/tools.sh"
if (($# == 0)); then
  fresh=$(mktemp -d)
  trap 'rm -rf "$fresh"' EXIT
  "$here/generate.sh" "$fresh"
  diff -rq "$fresh/reference" "$here/src/reference" && cmp -s "$fresh/SUMMARY.md" "$here/src/SUMMARY.md" ||
    { echo "docs/src/reference is not what the contract and the programs make: run make docs-reference" >&2; exit 1; }
  ruff check --quiet --no-cache --config "$here/../sdk/python/pyproject.toml" "$here"
  ruff format --check --quiet --no-cache --config "$here/../sdk/python/pyproject.toml" "$here"
  for part in "$here/generate" "$here/test" "$here/links.py"; do
    (cd "$here" && MYPYPATH=$part mypy --strict --no-error-summary --cache-dir /dev/null "$part")
  done
  (cd "$here/test" && PYTHONDONTWRITEBYTECODE=1 python3 -m pytest -q -p no:cacheprovider)
fi
PYTHONDONTWRITEBYTECODE=1 python3 "$here/test" "$@"
