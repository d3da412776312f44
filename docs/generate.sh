#!/usr/bin/env bash
# Makes the pages of the reference from the contract and the programs.
#
#   generate.sh [DIRECTORY]          write them there in place of docs/src
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/.." && pwd)
out=${1:-$here/src}
command -v buf >/dev/null || { echo "docs: there is no buf; .ci/run says how it is installed" >&2; exit 1; }
programs=${CARGO_TARGET_DIR:-$root/target}/debug
[[ -x $programs/aiinfra ]] || { echo "docs: there is no aiinfra in $programs: cargo build --workspace --bins" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

(cd "$root/proto" && buf build -o "$work/descriptors.json")
rm -rf "$out/reference"
PYTHONDONTWRITEBYTECODE=1 python3 "$here/generate" "$root/sdk/openapi.json" "$work/descriptors.json" "$programs" "$out"
