#!/usr/bin/env bash
# Takes the OpenAPI document of the control plane, and makes the generated files of both SDKs from it.
#
#   generate.sh [DIRECTORY]          write them there in place of here
#
# Which control plane that is: see controlplane.sh.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [[ -z ${UTOPIA_SDK_URL:-} ]]; then exec "$here/controlplane.sh" "$here/generate.sh" "$@"; fi
. "$here/tools.sh"

out=${1:-$here}
mkdir -p "$out/python/src/aiinfra" "$out/go"
curl -sS --fail "$UTOPIA_SDK_URL/api/openapi.json" | jq . >"$out/openapi.json.new"
mv "$out/openapi.json.new" "$out/openapi.json"
python3 "$here/generate" "$out/openapi.json" "$out"
(cd "$out/python/src/aiinfra" && ruff check --no-cache --quiet --fix --config "$here/python/pyproject.toml" models.py *_services.py &&
  ruff format --no-cache --quiet --config "$here/python/pyproject.toml" models.py *_services.py)
gofmt -w "$out/go"
