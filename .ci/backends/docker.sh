# shellcheck shell=bash disable=SC2154
# dockerd where it listens by default.

docker_answers() { docker info >/dev/null 2>&1; }

docker_lacks() {
  absent docker.io dockerd
  if [[ $(id -u) != 0 ]]; then echo "it is not running, and only root can start it"; fi
}

docker_up() {
  forget_dead dockerd /var/run/docker.pid
  forget_dead containerd /var/run/docker/containerd/containerd.pid
  start docker dockerd
}

# After a crash, a file with a process id that another program has now would keep a server from starting.
forget_dead() {
  local name=$1 file=$2
  if [[ -f $file && $(cat "/proc/$(<"$file")/comm" 2>/dev/null) != "$name" ]]; then rm -f "$file"; fi
}
