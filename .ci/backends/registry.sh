# shellcheck shell=bash disable=SC2154
# A registry of images that lets everybody in, on UTOPIA_TEST_REGISTRY_PORT (5000).

registry_port=${UTOPIA_TEST_REGISTRY_PORT:-5000}

registry_answers() { http_answers "$registry_port" /v2/; }

registry_settings() { echo "UTOPIA_TEST_REGISTRY=127.0.0.1:$registry_port"; }

registry_lacks() { absent docker-registry docker-registry; }

registry_up() {
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
}
