# shellcheck shell=bash disable=SC2154
# Prometheus that measures itself each second and takes what is written to it, on UTOPIA_TEST_PROMETHEUS_PORT (19090).

prometheus_port=${UTOPIA_TEST_PROMETHEUS_PORT:-19090}

prometheus_answers() { http_answers "$prometheus_port" /-/ready; }

prometheus_settings() { echo "UTOPIA_TEST_PROMETHEUS_URL=http://127.0.0.1:$prometheus_port"; }

prometheus_lacks() { absent prometheus prometheus; }

prometheus_up() {
  fresh prometheus
  cat >"$state/prometheus/prometheus.yml" <<YAML
global:
  scrape_interval: 1s
  evaluation_interval: 1s
scrape_configs:
  - job_name: prometheus
    static_configs:
      - targets: ['127.0.0.1:$prometheus_port']
YAML
  start prometheus prometheus --config.file="$state/prometheus/prometheus.yml" --storage.tsdb.path="$state/prometheus/data" \
    --web.listen-address="127.0.0.1:$prometheus_port" --web.enable-lifecycle --web.enable-remote-write-receiver --log.level=warn
}
