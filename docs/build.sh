#!/usr/bin/env bash
# Builds the book into target/docs, and fails when a link in it leads nowhere.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
book=${CARGO_TARGET_DIR:-$here/../target}/docs
command -v mdbook >/dev/null || { echo "docs: there is no mdbook; .ci/run says how it is installed" >&2; exit 1; }
rm -rf "$book"
mdbook build --dest-dir "$book" "$here"
python3 "$here/links.py" "$book"
