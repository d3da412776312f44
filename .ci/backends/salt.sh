# shellcheck shell=bash disable=SC2154
# A Salt master with salt-api on UTOPIA_TEST_SALT_PORT (18000; the master on the two above it), and the minions node01 and node02.
# Users log in with one password (eauth sharedsecret): `utopia`, who may do everything, and `limited`, who may only test.ping.
# The minions change nothing outside $state/salt, unless a test tells them to.

salt_port=${UTOPIA_TEST_SALT_PORT:-18000}
salt_minions=(node01 node02)
salt=$state/salt

salt_answers() {
  local minion pong
  [[ -r $salt/password ]] && http_answers "$salt_port" / && pong=$(salt_ping) || return
  for minion in "${salt_minions[@]}"; do
    [[ $pong == *"\"$minion\": true"* ]] || return
  done
}

# The password is not for the list of processes.
salt_ping() {
  curl -fs -m 20 -H 'Accept: application/json' "http://127.0.0.1:$salt_port/run" \
    -d client=local -d tgt='*' -d fun=test.ping -d timeout=1 -d gather_job_timeout=1 \
    -d eauth=sharedsecret -d username=utopia -K - <<<"data = \"password=$(<"$salt/password")\""
}

salt_settings() {
  echo "UTOPIA_TEST_SALT_URL=http://127.0.0.1:$salt_port"
  echo "UTOPIA_TEST_SALT_USER=utopia"
  echo "UTOPIA_TEST_SALT_PASSWORD_FILE=$salt/password"
}

salt_lacks() {
  absent .ci/test-tools.sh "$tools/salt/bin/salt-master"
  absent curl curl
  uncontained
}

salt_up() {
  local password minion
  fresh salt
  password=$(head -c 16 /dev/urandom | od -An -v -tx1 | tr -d ' \n')
  (umask 077 && echo "$password" >"$salt/password" && mkdir "$salt/master" && salt_master "$password" >"$salt/master/master")
  for minion in "${salt_minions[@]}"; do
    mkdir "$salt/$minion"
    salt_minion "$minion" >"$salt/$minion/minion"
  done
  salt_states
  contain salt
}

salt_master() {
  cat <<YAML
interface: 127.0.0.1
publish_port: $((salt_port + 1))
ret_port: $((salt_port + 2))
user: $(id -un)
root_dir: $salt/master
pki_dir: /pki
cachedir: /cache
sock_dir: /sock
pidfile: /master.pid
api_pidfile: /api.pid
log_file: $salt/master/log
log_level: warning
auto_accept: true
worker_threads: 3
timeout: 8
gather_job_timeout: 8
file_roots: {base: [$salt/states]}
pillar_roots: {base: [$salt/pillar]}
sharedsecret: $1
external_auth:
  sharedsecret:
    utopia: ['.*', '@wheel', '@runner', '@jobs']
    limited: [test.ping]
netapi_enable_clients: [local, local_async, local_batch, runner, runner_async, wheel, wheel_async]
rest_cherrypy:
  host: 127.0.0.1
  port: $salt_port
  disable_ssl: true
YAML
}

# It comes back soon after the master was away, and asks this machine neither for its names nor for its graphics.
salt_minion() {
  cat <<YAML
id: $1
master: 127.0.0.1
publish_port: $((salt_port + 1))
master_port: $((salt_port + 2))
user: $(id -un)
root_dir: $salt/$1
pki_dir: /pki
cachedir: /cache
sock_dir: /sock
pidfile: /minion.pid
log_file: $salt/$1/log
log_level: warning
acceptance_wait_time: 1
random_reauth_delay: 1
recon_default: 100
recon_max: 1000
enable_fqdns_grains: false
enable_gpu_grains: false
grains: {rack: r${1#node0}, gpus: 4}
YAML
}

# States to apply: `motd` and `slurm.compute` succeed, `broken` fails, `mixed` does both and leaves one out, `slow` takes ten seconds.
salt_states() {
  mkdir -p "$salt"/states/slurm "$salt"/pillar
  printf 'base:\n  "*": [role]\n' >"$salt/pillar/top.sls"
  echo 'role: gpu' >"$salt/pillar/role.sls"
  cat >"$salt/states/motd.sls" <<SLS
motd_file:
  file.managed:
    - name: $salt/{{ grains['id'] }}/motd
    - contents: "{{ grains['id'] }} is a {{ pillar['role'] }} node"
SLS
  cat >"$salt/states/slurm/compute.sls" <<SLS
compute_conf:
  file.managed:
    - name: $salt/{{ grains['id'] }}/slurm.conf
    - contents: NodeName={{ grains['id'] }}
compute_check:
  cmd.run:
    - name: grep NodeName $salt/{{ grains['id'] }}/slurm.conf
    - require: [{file: compute_conf}]
SLS
  cat >"$salt/states/broken.sls" <<SLS
broken_command:
  cmd.run:
    - name: echo cannot >&2; exit 7
SLS
  cat >"$salt/states/mixed.sls" <<SLS
include: [motd, broken]
after_broken:
  cmd.run:
    - name: echo never
    - require: [{cmd: broken_command}]
SLS
  cat >"$salt/states/slow.sls" <<SLS
slow_command:
  cmd.run:
    - name: sleep 10
SLS
}

salt_serve() {
  local minion
  "$tools/salt/bin/salt-master" -c "$salt/master" &
  "$tools/salt/bin/salt-api" -c "$salt/master" &
  for minion in "${salt_minions[@]}"; do "$tools/salt/bin/salt-minion" -c "$salt/$minion" & done
}
