#!/usr/bin/env bash
# Tests both SDKs, alone and with a running control plane (see controlplane.sh).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [[ -z ${UTOPIA_SDK_URL:-} ]]; then exec "$here/controlplane.sh" "$here/test.sh" "$@"; fi
. "$here/tools.sh"

(cd "$here/generate" && PYTHONDONTWRITEBYTECODE=1 python3 -m pytest -q -p no:cacheprovider)
(cd "$here/python" && python3 -m pytest -q "$@")
(cd "$here/go" && go test -count=1 ./...)
