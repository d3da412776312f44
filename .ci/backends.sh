#!/usr/bin/env bash
# Throw-away servers for tests, on loopback.
#
#   backends.sh up [registry] [postgres] [docker]    start what does not answer yet, and say what cannot be started
#   backends.sh down                                 stop what `up` started
#   backends.sh with COMMAND...                      start registry and postgres, run the command, stop what was started
#
# A server that already answers is used as it is and left running. Docker is started only by name, and only by root.
# Ports: UTOPIA_TEST_REGISTRY_PORT (5000), UTOPIA_TEST_POSTGRES_PORT (15432). State: UTOPIA_TEST_STATE.
set -euo pipefail

registry_port=${UTOPIA_TEST_REGISTRY_PORT:-5000}
postgres_port=${UTOPIA_TEST_POSTGRES_PORT:-15432}
state=${UTOPIA_TEST_STATE:-${TMPDIR:-/tmp}/utopia-test-backends-$(id -u)}

say() { printf 'backends: %s\n' "$*"; }
skip() { printf 'backends: SKIPPED: %s; the tests that need it are skipped\n' "$*"; }

# Runs a server in the background; its process goes to $state/<name>.pid.
start() {
  local name=$1
  shift
  setsid "$@" >"$state/$name.log" 2>&1 </dev/null &
  echo "$! $(born $!)" >"$state/$name.pid"
}

# Waits until `<name>_answers`, or shows why it does not.
await() {
  local name=$1 tries=0
  until "${name}_answers"; do
    if ! alive "$name" || ((++tries > 300)); then
      say "$name did not come up:"
      tail -n 20 "$state/$name.log"
      stop "$name"
      return 1
    fi
    sleep 0.1
  done
  say "$name is up"
}

# When a process was started: the same id may be another process by now.
born() { cut -d ' ' -f 22 "/proc/$1/stat" 2>/dev/null || true; }

alive() {
  local pid since
  read -r pid since 2>/dev/null <"$state/$1.pid" && [[ -n $since && $(born "$pid") == "$since" ]]
}

stop() {
  local name=$1 pid tries=0
  if alive "$name"; then
    read -r pid _ <"$state/$name.pid"
    kill "$pid"
    while alive "$name" && ((++tries <= 150)); do sleep 0.1; done
    if alive "$name"; then kill -KILL "$pid"; fi
    say "$name is stopped"
  fi
  rm -f "$state/$name.pid"
}

http_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1" && printf 'GET %s HTTP/1.0\r\n\r\n' "$2" >&3 && grep -q ' 200 ' <&3) 2>/dev/null; }

docker_answers() { docker info >/dev/null 2>&1; }

# After a crash, a file with a process id that another program has now would keep a server from starting.
forget_dead() {
  local name=$1 file=$2
  if [[ -f $file && $(cat "/proc/$(<"$file")/comm" 2>/dev/null) != "$name" ]]; then rm -f "$file"; fi
}

docker_up() {
  if ! command -v dockerd >/dev/null; then
    skip "docker: there is no dockerd"
  elif [[ $(id -u) != 0 ]]; then
    skip "docker: it is not running, and only root can start it"
  else
    forget_dead dockerd /var/run/docker.pid
    forget_dead containerd /var/run/docker/containerd/containerd.pid
    start docker dockerd
    await docker
  fi
}

registry_answers() { http_answers "$registry_port" /v2/; }

registry_up() {
  if ! command -v docker-registry >/dev/null; then
    skip "registry: there is no docker-registry"
    return
  fi
  mkdir -p "$state/registry"
  cat >"$state/registry.yml" <<YAML
version: 0.1
log:
  level: warn
storage:
  filesystem:
    rootdirectory: $state/registry
http:
  addr: 127.0.0.1:$registry_port
YAML
  start registry docker-registry serve "$state/registry.yml"
  await registry
}

postgres_answers() { "$(postgres_bin)/pg_isready" -q -h 127.0.0.1 -p "$postgres_port" 2>/dev/null; }

postgres_bin() {
  local newest
  newest=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
  echo "${newest:-$(dirname "$(command -v initdb || echo /nonexistent/initdb)")}"
}

# PostgreSQL refuses to run as root.
as_postgres() {
  if [[ $(id -u) == 0 ]]; then
    exec setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
  else
    exec "$@"
  fi
}

postgres_up() {
  local bin data=$state/postgres
  bin=$(postgres_bin)
  if [[ ! -x $bin/initdb ]]; then
    skip "postgres: there is no initdb"
    return
  fi
  rm -rf "$data"
  mkdir -p "$data"
  if [[ $(id -u) == 0 ]]; then chown postgres: "$data"; fi
  # Both run from a directory that user postgres may enter.
  (cd "$data" && as_postgres "$bin/initdb" -D "$data/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N >"$state/initdb.log")
  export -f as_postgres
  # Nothing here has to survive a crash of the machine.
  start postgres bash -c 'cd "$1" && shift && as_postgres "$@"' bash "$data" "$bin/postgres" -D "$data/data" -k "$data" \
    -h 127.0.0.1 -p "$postgres_port" -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=300
  await postgres
}

prepare_state() {
  mkdir -p -m 0711 "$state"
  if [[ ! -O $state ]]; then
    say "$state belongs to somebody else"
    return 1
  fi
}

# Sets `started` to what it had to start.
up() {
  local name
  prepare_state
  for name in "$@"; do
    alive "$name" || rm -f "$state/$name.pid"
    if "${name}_answers"; then
      say "$name is already running"
    else
      "${name}_up"
      if [[ -f $state/$name.pid ]]; then started+=("$name"); fi
    fi
  done
}

down() {
  local name
  for name in "$@"; do stop "$name"; done
}

started=()
case ${1:-} in
  up)
    shift
    if (($# == 0)); then set -- registry postgres; fi
    up "$@"
    ;;
  down)
    down postgres registry docker
    ;;
  with)
    shift
    trap 'down "${started[@]}"' EXIT
    trap 'exit 130' INT TERM
    docker_answers || skip "docker: it does not answer"
    up registry
    [[ -n ${UTOPIA_TEST_POSTGRES_URL:-} ]] || up postgres
    export UTOPIA_TEST_POSTGRES_URL=${UTOPIA_TEST_POSTGRES_URL:-postgresql://postgres@127.0.0.1:$postgres_port/postgres}
    export UTOPIA_TEST_REGISTRY=${UTOPIA_TEST_REGISTRY:-127.0.0.1:$registry_port}
    "$@"
    ;;
  *)
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"
    exit 2
    ;;
esac
