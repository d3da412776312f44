#!/usr/bin/env bash
# Tests both SDKs, alone and with a running control plane (see controlplane.sh).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [[ -z ${UTOPIA_SDK_URL:-} ]]; then exec "$here/controlplane.sh" "$here/test.sh" "$@"; fi
. "$here/tools.sh"

(cd "$here/generate" && PYTHONDONTWRITEBYTECODE=1 python3 -m pytest -q -p no:cacheprovider)
(cd "$here/python" && python3 -m pytest -q "$@")
(cd "$here/go" && go test -race -count=1 ./...)

# On a control plane of its own: what is made up for other tests is nothing for a real cluster.
if [[ -n ${UTOPIA_TEST_SLURM_URL:-} ]]; then
  env -u UTOPIA_SDK_URL UTOPIA_SDK_SLURM=true UTOPIA_SLURM="default=$UTOPIA_TEST_SLURM_URL key-file=$UTOPIA_TEST_SLURM_KEY_FILE" \
    UTOPIA_SLURM_USERS="admin=$UTOPIA_TEST_SLURM_USER" "$here/controlplane.sh" \
    bash -c 'cd "$0/python" && python3 -m pytest -q -k real_slurm && cd "$0/go" && go test -count=1 -run RealSlurm ./...' "$here"
fi
