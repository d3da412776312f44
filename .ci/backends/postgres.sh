# shellcheck shell=bash disable=SC2154
# PostgreSQL that trusts everybody, on UTOPIA_TEST_POSTGRES_PORT (15432).

postgres_port=${UTOPIA_TEST_POSTGRES_PORT:-15432}

postgres_answers() { "$(postgres_bin)/pg_isready" -q -h 127.0.0.1 -p "$postgres_port" 2>/dev/null; }

postgres_lacks() { absent postgresql "$(postgres_bin)/initdb"; }

postgres_settings() { echo "UTOPIA_TEST_POSTGRES_URL=postgresql://postgres@127.0.0.1:$postgres_port/postgres"; }

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
  rm -rf "$data"
  mkdir -p "$data"
  if [[ $(id -u) == 0 ]]; then chown postgres: "$data"; fi
  # Both run from a directory that user postgres may enter.
  (cd "$data" && as_postgres "$bin/initdb" -D "$data/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N >"$state/initdb.log")
  export -f as_postgres
  # Nothing here has to survive a crash of the machine.
  start postgres bash -c 'cd "$1" && shift && as_postgres "$@"' bash "$data" "$bin/postgres" -D "$data/data" -k "$data" \
    -h 127.0.0.1 -p "$postgres_port" -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=300
}
