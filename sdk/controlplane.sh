#!/usr/bin/env bash
# Runs a command beside a fresh control plane, which it finds in UTOPIA_SDK_URL; the administrator's password is in UTOPIA_SDK_PASSWORD.
#
#   controlplane.sh COMMAND...
#
# It builds nothing: target/debug/utopia-controlplane must be there (UTOPIA_TEST_CONTROLPLANE names another).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
control_plane=${UTOPIA_TEST_CONTROLPLANE:-${CARGO_TARGET_DIR:-$root/target}/debug/utopia-controlplane}
[[ -x $control_plane ]] || { echo "sdk: there is no control plane at $control_plane; UTOPIA_TEST_CONTROLPLANE names another" >&2; exit 1; }
work=$(mktemp -d)

finish() {
  if [[ -n ${pid:-} ]]; then kill "$pid" 2>/dev/null && wait "$pid" || true; fi
  rm -rf "$work"
}
trap finish EXIT

export UTOPIA_SDK_PASSWORD="a password for tests"
env UTOPIA_DATA_DIR="$work/data" UTOPIA_HTTP_ADDR=127.0.0.1:0 UTOPIA_GRPC_ADDR=127.0.0.1:0 UTOPIA_LOG_FORMAT=json \
  UTOPIA_LIMITS=off UTOPIA_DEVELOPMENT=true UTOPIA_ADMIN_PASSWORD="$UTOPIA_SDK_PASSWORD" "$control_plane" 2>"$work/log" &
pid=$!
for _ in {1..300}; do
  UTOPIA_SDK_URL=$(jq -r 'select(.http) | "http://" + .http' "$work/log" 2>/dev/null | head -n 1) || true
  [[ -z $UTOPIA_SDK_URL ]] || break
  kill -0 "$pid" 2>/dev/null || break
  sleep 0.1
done
[[ -n $UTOPIA_SDK_URL ]] || { cat "$work/log" >&2; exit 1; }
export UTOPIA_SDK_URL

"$@"
