#!/usr/bin/env bash
# Installs what tests need and Debian does not have, of fixed versions, into UTOPIA_TEST_TOOLS (target/test-tools).
# What is already there with these versions stays as it is.
set -euo pipefail

tools=${UTOPIA_TEST_TOOLS:-$(cd "$(dirname "$0")/.." && pwd)/target/test-tools}

# Runs a command that fills $tools/<name>, unless it was filled for the same packages. The list of packages is written last.
install() {
  local name=$1 with=$2
  shift 2
  local stamp=$tools/$name/packages
  if [[ $(cat "$stamp" 2>/dev/null) == "$*" ]]; then return; fi
  echo "test-tools: installing $*"
  rm -rf "${tools:?}/$name"
  "$with" "$tools/$name" "$@"
  echo "$*" >"$stamp"
}

python_packages() {
  local into=$1
  shift
  python3 -m venv "$into"
  "$into/bin/pip" install -q --disable-pip-version-check "$@"
}

node_packages() {
  local into=$1
  shift
  npm install --no-fund --no-audit --prefix "$into" "$@"
}

mkdir -p "$tools"
exec 9>"$tools/lock"
flock 9
install salt python_packages salt==3006.28 cherrypy==18.10.0 pyopenssl==26.4.0
install jupyterhub python_packages jupyterhub==6.1.1 jupyter-server==2.21.1
install jupyterhub-proxy node_packages configurable-http-proxy@5.3.0
install s3 python_packages "boto3[crt]==1.44.5"
install webhooks python_packages standardwebhooks==1.1.0
