#!/usr/bin/env bash
# Throw-away servers for tests, on loopback: registry postgres slurm salt jupyterhub prometheus docker
#
#   backends.sh up [NAME...]         start what does not answer yet (all but docker), and say what cannot be started
#   backends.sh down [NAME...]       stop what `up` started (all)
#   backends.sh env                  print what tests are told about the servers that answer: eval "$(.ci/backends.sh env)"
#   backends.sh with COMMAND...      start all but docker, run the command, stop what was started
#
# A server that already answers is used as it is and left running, and so is one that the environment names. Docker is started
# only by name, and only by root. What cannot be started is skipped, or an error with CI=true. Each server is described, with
# its port, in .ci/backends/NAME.sh.
# State: UTOPIA_TEST_STATE. What .ci/test-tools.sh installed: UTOPIA_TEST_TOOLS.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
state=${UTOPIA_TEST_STATE:-${TMPDIR:-/tmp}/utopia-test-backends-$(id -u)}
tools=${UTOPIA_TEST_TOOLS:-$root/target/test-tools}
servers=(registry postgres slurm salt jupyterhub prometheus)
# Runs a command in process ids of its own: all that it leaves behind ends with it.
contained=(unshare --pid --fork --kill-child --mount-proc)
if [[ $(id -u) != 0 ]]; then contained+=(--user --map-current-user); fi

say() { printf 'backends: %s\n' "$*"; }

# Says why a server is not started.
skip() {
  if [[ ${CI:-} == true ]]; then
    say "cannot start $*"
    return 1
  fi
  say "SKIPPED: $*; the tests that need it are skipped"
}

# absent PACKAGE PROGRAM...: the first of the programs that is not there.
absent() {
  local package=$1 program
  shift
  for program in "$@"; do
    command -v "$program" >/dev/null || { echo "there is no ${program##*/}, which $package brings" && return; }
  done
}

uncontained() { "${contained[@]}" true 2>/dev/null || echo "unshare cannot give it process ids of its own"; }

# Runs a server in the background; its process goes to $state/<name>.pid.
start() {
  local name=$1
  shift
  rm -f "$state/$name.broken"
  setsid "$@" >"$state/$name.log" 2>&1 </dev/null 9>&- &
  echo "$! $(born $!)" >"$state/$name.pid"
}

# Runs what `<name>_serve` starts, in the background and contained. Once any of it has ended there is $state/<name>.broken.
contain() { start "$1" "${contained[@]}" bash "$root/.ci/backends.sh" serve "$1"; }

# Waits until `<name>_answers`, or shows why it does not.
await() {
  local name=$1 until=$((SECONDS + 90))
  until "${name}_answers"; do
    if ! alive "$name" || [[ -e $state/$name.broken ]] || ((SECONDS >= until)); then
      say "$name did not come up:"
      tail -n 20 "$state/$name.log"
      stop "$name"
      return 1
    fi
    sleep 0.1
  done
  say "$name is up"
}

# When a process was started: the same id may be another process by now. Nothing for one that ended.
born() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  # The name, in parentheses, may hold blanks.
  read -ra stat <<<"${stat##*) }"
  if [[ ${stat[0]} != Z ]]; then echo "${stat[19]}"; fi
}

alive() {
  local pid since
  read -r pid since 2>/dev/null <"$state/$1.pid" && [[ -n $since && $(born "$pid") == "$since" ]]
}

stop() {
  local name=$1 pid tries=0
  if alive "$name"; then
    read -r pid _ <"$state/$name.pid"
    # `unshare` ends when the first of its processes did, and that one when all others did.
    if [[ $(<"/proc/$pid/comm") == unshare ]]; then pgrep -P "$pid" | xargs -r kill -KILL; else kill "$pid"; fi
    while alive "$name" && ((++tries <= 150)); do sleep 0.1; done
    if alive "$name"; then kill -KILL "$pid"; fi
    say "$name is stopped"
  fi
  rm -f "$state/$name.pid" "$state/$name.broken"
}

# http_answers PORT PATH [STATUS]
http_answers() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1" && printf 'GET %s HTTP/1.0\r\n\r\n' "$2" >&3 && timeout 5 grep -q "^HTTP/1.[01] ${3:-200} " <&3) 2>/dev/null
}

# An empty directory for a server's state, which other users may enter.
fresh() {
  rm -rf "${state:?}/$1"
  mkdir -m 0755 "$state/$1"
}

prepare_state() {
  mkdir -p -m 0711 "$state"
  if [[ ! -O $state ]]; then
    say "$state belongs to somebody else"
    return 1
  fi
}

# Sets `started` to what it had to start. All start at once, and what another `up` starts at the same time is waited for.
up() {
  local name lack new=()
  prepare_state
  exec 9>"$state/lock"
  flock 9
  for name in "$@"; do
    if [[ ! -e $state/$name.broken ]] && "${name}_answers"; then
      say "$name is already running"
      continue
    fi
    lack=$("${name}_lacks")
    if [[ -n $lack ]]; then
      skip "$name: ${lack//$'\n'/; }"
      continue
    fi
    stop "$name"
    "${name}_up"
    new+=("$name")
    started=("${new[@]}")
  done
  for name in "${new[@]}"; do await "$name"; done
  exec 9>&-
}

down() {
  local name
  for name in "$@"; do stop "$name"; done
}

# NAME=VALUE for tests, of those of these servers that answer.
settings() {
  local name
  for name in "$@"; do
    if "${name}_answers"; then "${name}_settings"; fi
  done
  if [[ -x $tools/s3/bin/python ]]; then echo "UTOPIA_TEST_S3_PYTHON=$tools/s3/bin/python"; fi
  if [[ -x $tools/webhooks/bin/python ]]; then echo "UTOPIA_TEST_WEBHOOK_PYTHON=$tools/webhooks/bin/python"; fi
}

# The servers that tests were told nothing about: the first of a server's settings says where it is.
unnamed() {
  local name setting
  for name in "${servers[@]}"; do
    IFS='=' read -r setting _ < <("${name}_settings")
    [[ -n ${!setting:-} ]] || echo "$name"
  done
}

for name in docker "${servers[@]}"; do
  # shellcheck source=/dev/null
  source "$root/.ci/backends/$name.sh"
done

started=()
case ${1:-} in
  up)
    shift
    if (($# == 0)); then set -- "${servers[@]}"; fi
    up "$@"
    ;;
  down)
    shift
    if (($# == 0)); then set -- "${servers[@]}" docker; fi
    down "$@"
    ;;
  env)
    settings "${servers[@]}" | while IFS='=' read -r setting value; do printf 'export %s=%q\n' "$setting" "$value"; done
    ;;
  with)
    shift
    trap 'down "${started[@]}"' EXIT
    trap 'exit 130' INT TERM
    docker_answers || skip "docker: it does not answer"
    mapfile -t wanted < <(unnamed)
    up "${wanted[@]}"
    while IFS= read -r setting; do export "${setting?}"; done < <(settings "${wanted[@]}")
    "$@"
    ;;
  serve)
    "${2}_serve"
    wait -n || true
    touch "$state/$2.broken"
    wait
    exit
    ;;
  *)
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"
    exit 2
    ;;
esac
