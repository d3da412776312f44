#!/usr/bin/env bash
# Checks that a running control plane does what its OpenAPI document says: the document is valid, and to requests made from
# it, good and bad, every operation answers with a status, headers and a body that the document allows, and never with 500.
#
#   schemathesis.sh [EXAMPLES]       requests made up per operation, besides the systematic ones (25)
#
# It builds nothing: target/debug/utopia-controlplane must be there (UTOPIA_TEST_CONTROLPLANE names another). Its Python packages are
# installed into target/schemathesis, at the versions of rest-gateway/tests/schemathesis/requirements.txt.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD
examples=${1:-25}
target=${CARGO_TARGET_DIR:-$root/target}
control_plane=${UTOPIA_TEST_CONTROLPLANE:-$target/debug/utopia-controlplane}
requirements=$root/rest-gateway/tests/schemathesis/requirements.txt
venv=${UTOPIA_TEST_VENV:-$target/schemathesis}
work=$(mktemp -d)

finish() {
  if [[ -n ${pid:-} ]]; then kill "$pid" 2>/dev/null && wait "$pid" || true; fi
  rm -rf "$work"
}
trap finish EXIT

# Programs of an environment that was moved do not start.
if ! cmp -s "$requirements" "$venv/installed.txt" || ! "$venv/bin/schemathesis" --version >/dev/null 2>&1; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
  cp "$requirements" "$venv/installed.txt"
fi

env UTOPIA_DATA_DIR="$work/data" UTOPIA_HTTP_ADDR=127.0.0.1:0 UTOPIA_GRPC_ADDR=127.0.0.1:0 UTOPIA_LOG_FORMAT=json \
  UTOPIA_LIMITS=off UTOPIA_DEVELOPMENT=true UTOPIA_ADMIN_PASSWORD="a password for tests" "$control_plane" 2>"$work/log" &
pid=$!
url=
for _ in {1..300}; do
  url=$(jq -r 'select(.http) | "http://" + .http' "$work/log" 2>/dev/null | head -n 1)
  [[ -z $url ]] || break
  kill -0 "$pid" || { cat "$work/log"; exit 1; }
  sleep 0.1
done

# An API token outlives the log-outs that are tried: it is no session.
post() { curl -sS --fail-with-body -H 'content-type: application/json' "$@"; }
session=$(post "$url/api/v1/auth/login" -d '{"username": "admin", "password": "a password for tests"}' | jq -r .data.token)
token=$(post "$url/api/v1/tokens" -H "authorization: Bearer $session" -d '{"name": "schemathesis"}' | jq -r .data.token)

curl -sS --fail "$url/api/openapi.json" >"$work/openapi.json"
"$venv/bin/openapi-spec-validator" "$work/openapi.json"

# Tries operations with a token. Without memory of earlier runs: the same requests each time.
# Without its stateful phase: that links operations by ids of answers, and an empty one (a join token for any node) makes another path.
try() {
  # A stream that waits for changes ends at the deadline; one that never ends by itself has a short one.
  "$venv/bin/schemathesis" run "$url/api/openapi.json" --header "Authorization: Bearer $1" --header "grpc-timeout: ${deadline:-5S}" \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance \
    --phases examples,coverage,fuzzing --max-examples "$examples" --generation-deterministic --request-timeout 30 --continue-on-failure --no-color \
    --output-truncate false --warnings off "${@:2}" || failed=1
}

failed=
cd "$work"
# Servers of others are not there, and operations that need them say so: that is no fault.
cat >schemathesis.toml <<'TOML'
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "503"]
TOML
try "$token" --exclude-path /api/events
deadline=200m try "$token" --include-path /api/events
# What an API token may not do.
try "$session" --include-path /api/v1/tokens --include-path '/api/v1/users/{id}/password'
jq -r 'select(.level == "ERROR")' "$work/log"
[[ -z $failed ]]
