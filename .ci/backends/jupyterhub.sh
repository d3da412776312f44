# shellcheck shell=bash disable=SC2154
# JupyterHub on UTOPIA_TEST_JUPYTERHUB_PORT (18081: the proxy; the hub and the proxy's API on the two above it). jupyterhub.py says
# which names of users make a server slow, quick or broken.

jupyterhub_port=${UTOPIA_TEST_JUPYTERHUB_PORT:-18081}
jupyterhub=$state/jupyterhub

jupyterhub_answers() { http_answers "$jupyterhub_port" /hub/api/; }

jupyterhub_settings() {
  echo "UTOPIA_TEST_JUPYTERHUB_URL=http://127.0.0.1:$jupyterhub_port"
  echo "UTOPIA_TEST_JUPYTERHUB_TOKEN_FILE=$jupyterhub/token"
}

jupyterhub_lacks() {
  absent .ci/test-tools.sh "$tools/jupyterhub/bin/jupyterhub" "$tools/jupyterhub-proxy/node_modules/.bin/configurable-http-proxy"
  absent nodejs node
  uncontained
}

jupyterhub_up() {
  fresh jupyterhub
  (umask 077 && head -c 16 /dev/urandom | od -An -v -tx1 | tr -d ' ' >"$jupyterhub/token")
  contain jupyterhub
}

jupyterhub_serve() {
  cd "$jupyterhub" || return
  # It finds the servers of users in PATH.
  PATH=$tools/jupyterhub/bin:$tools/jupyterhub-proxy/node_modules/.bin:$PATH port=$jupyterhub_port \
    jupyterhub -f "$root/.ci/backends/jupyterhub.py" &
}
