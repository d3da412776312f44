#!/usr/bin/env bash
# Measures everything and writes load-tests/report.md: builds the programs, the peers in Go and Envoy, then runs one load test after
# the other. It takes about an hour and wants the machine for itself. Only the loopback is loaded, and every part has a time limit.
#
#   load-tests/run.sh               all of it
#   load-tests/run.sh idle storm    only these; the results of the others stay as they are in target/load-tests
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
results=$(realpath -m --relative-to=. "$target/load-tests")
programs=$(realpath -m --relative-to=. "$target/release")
mkdir -p "$results"

# Name, time limit in seconds, command. The order is that of the figures.
measure() {
  case $1 in
    unary) limited 300 bench unary ;;
    rest) limited 600 bench rest ;;
    stream) limited 300 bench stream ;;
    idle) limited 900 swarm idle ;;
    heartbeat) limited 600 swarm heartbeat ;;
    command) limited 600 swarm command ;;
    storm) limited 900 swarm storm ;;
    claims) limited 600 bench claims ;;
    detection) limited 600 swarm detection ;;
    plan) limited 600 bench plan ;;
    churn) limited 300 swarm churn ;;
    faults) limited 900 swarm faults ;;
    small-frames) limited 1200 swarm small-frames ;;
    ghz) timeout --kill-after 10 900 load-tests/ghz/run.sh --programs "$programs" --json "$results/ghz.json" ;;
    s3) objects ;;
    s3-external) objects --external ;;
    *) echo "there is no load test $1" >&2; return 2 ;;
  esac
}

limited() {
  timeout --kill-after 10 "$1" "$programs/utopia-$2" "$3" --json "$results/$name.json"
}

objects() {
  if [[ ! -x ${UTOPIA_TEST_S3_PYTHON:-${UTOPIA_TEST_TOOLS:-target/test-tools}/s3/bin/python} ]]; then
    echo "no boto3, which .ci/test-tools.sh installs: left out" >&2
    return
  fi
  timeout --kill-after 10 1200 load-tests/s3/run.sh --programs "$programs" --json "$results/$name.json" "$@"
}

all=(unary rest stream idle heartbeat command storm claims detection plan churn faults small-frames ghz s3 s3-external)
if (($# == 0)); then set -- "${all[@]}"; fi

cargo build --release --locked --bins -p utopia-controlplane -p utopia-gateway -p utopia-agent -p utopia-load-tests
if command -v go >/dev/null; then
  make -C load-tests/peers all
else
  echo "no Go toolchain: peers in Go, Envoy and ghz are left out" >&2
fi

failed=()
for name in "$@"; do
  echo "== $name"
  measure "$name" || failed+=("$name")
done
"$programs/utopia-report" --results "$results"
mkdir -p load-tests/results
cp "$results"/*.json load-tests/results/
if ((${#failed[@]} > 0)); then
  echo "these failed: ${failed[*]}" >&2
  exit 1
fi
