#!/usr/bin/env bash
# Counts the instructions of the hottest ways through the product and compares them with load-tests/instructions.json, within 5 %
# either way: a gain is recorded too, or the next loss could hide in it. Counts do not depend on how busy the machine is.
# `record` writes down what was counted instead.
set -euo pipefail
cd "$(dirname "$0")/.."

record=load-tests/instructions.json
tolerance_percent=5
ways=(rest-get rest-post heartbeat planner-pass)

cargo build --locked --profile profiling -p utopia-load-tests --example instructions
program=${CARGO_TARGET_DIR:-target}/profiling/examples/instructions

# The instructions that going a way once takes.
count() {
  local log times counted
  log=$(mktemp)
  times=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file="$log" \
    --toggle-collect='*::counted_section' "$program" "$1")
  counted=$(sed -n 's/.*Collected : //p' "$log")
  rm -f "$log"
  echo $((counted / times))
}

counts='{}'
for way in "${ways[@]}"; do
  counted=$(count "$way")
  counts=$(jq --arg way "$way" --argjson counted "$counted" '.[$way] = $counted' <<<"$counts")
done
counts=$(jq --arg rustc "$(rustc --version)" '{ rustc: $rustc, instructions: . }' <<<"$counts")

if [[ ${1:-} == record ]]; then
  echo "$counts" >"$record"
  exit
fi

jq --raw-output --slurpfile recorded "$record" --argjson tolerance "$tolerance_percent" '
  $recorded[0] as $recorded
  | .instructions | to_entries | map(. as { $key, $value }
    | ($recorded.instructions[$key] // 0) as $was
    | { $key, $value, $was, percent: (if $was == 0 then 100 else ($value / $was - 1) * 100 end) }) as $rows
  | ($rows[] | "\(.key)\t\(.value)\twas \(.was)\t\(.percent * 10 | round / 10) %"),
    (if any($rows[]; .percent | fabs > $tolerance) then error("some counts moved by more than \($tolerance) %: " +
      "see what did it with callgrind_annotate, mend a loss, and record a gain or a price that is worth it with " +
      "`.ci/instructions.sh record`. They were recorded with \($recorded.rustc).") else empty end)
' <<<"$counts"
