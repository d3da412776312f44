# shellcheck shell=bash disable=SC2154
# A Slurm cluster of two nodes with four GPUs each, on UTOPIA_TEST_SLURM_PORT (16820: slurmrestd) and the three ports below it.
# The GPUs are null devices. Jobs may run as the users UTOPIA_TEST_SLURM_USER and UTOPIA_TEST_SLURM_OTHER_USER, who are created.

slurm_port=${UTOPIA_TEST_SLURM_PORT:-16820}
slurm_users=("${UTOPIA_TEST_SLURM_USER:-utopia-test}" "${UTOPIA_TEST_SLURM_OTHER_USER:-utopia-test-other}")
slurm=$state/slurm

# slurmrestd wants a token for everything, and both nodes have to have told of themselves: a star marks one that is silent.
slurm_answers() {
  local nodes
  http_answers "$slurm_port" /openapi 401 &&
    nodes=$(SLURM_CONF=$slurm/slurm.conf timeout 5 sinfo -h -N -p gpu -o %T 2>/dev/null) &&
    [[ -n $nodes && ! $nodes =~ \*|unknown ]]
}

slurm_settings() {
  echo "UTOPIA_TEST_SLURM_URL=http://127.0.0.1:$slurm_port"
  echo "UTOPIA_TEST_SLURM_KEY_FILE=$slurm/jwt.key"
  echo "UTOPIA_TEST_SLURM_CONF=$slurm/slurm.conf"
  echo "UTOPIA_TEST_SLURM_USER=${slurm_users[0]}"
  echo "UTOPIA_TEST_SLURM_OTHER_USER=${slurm_users[1]}"
}

slurm_lacks() {
  absent "slurmctld slurmd slurmrestd slurm-client munge" slurmctld slurmd slurmrestd sinfo munged
  if [[ -z $(find /usr/lib -name auth_jwt.so -print -quit 2>/dev/null) ]]; then echo "there is no auth_jwt.so (slurm-wlm-jwt-plugin)"; fi
  if [[ $(id -u) != 0 ]]; then echo "only root can start it"; fi
  uncontained
}

slurm_up() {
  local user node gpu
  for user in "${slurm_users[@]}"; do
    id "$user" >/dev/null 2>&1 || useradd --system --no-create-home --shell /usr/sbin/nologin "$user"
  done
  fresh slurm
  for node in node01 node02; do
    for gpu in 0 1 2 3; do mknod -m 0666 "$slurm/$node-gpu$gpu" c 1 3; done
  done
  (umask 077 && head -c 128 /dev/urandom >"$slurm/munge.key" && head -c 32 /dev/urandom >"$slurm/jwt.key")
  echo "CgroupAutomount=no" >"$slurm/cgroup.conf"
  cat >"$slurm/gres.conf" <<CONF
AutoDetect=off
NodeName=node01 Name=gpu Type=h100 File=$slurm/node01-gpu[0-3]
NodeName=node02 Name=gpu Type=h100 File=$slurm/node02-gpu[0-3]
CONF
  slurm_conf >"$slurm/slurm.conf"
  contain slurm
}

# Nothing here needs control groups, accounting or a mailer. Each node says that it has more than this machine has.
slurm_conf() {
  # Jobs of an earlier cluster may have left files with their numbers.
  local first_job=$(($(date +%s) % 50000000 + 1))
  cat <<CONF
ClusterName=test
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$((slurm_port - 3))
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$slurm/munge.sock
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key=$slurm/jwt.key
CredType=cred/munge
StateSaveLocation=$slurm/state
SlurmdSpoolDir=$slurm/spool-%n
SlurmctldPidFile=$slurm/slurmctld.pid
SlurmdPidFile=$slurm/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=30
KillWait=5
MinJobAge=3600
FirstJobId=$first_job
GresTypes=gpu
NodeName=DEFAULT CPUs=8 SocketsPerBoard=1 CoresPerSocket=8 RealMemory=16000 Gres=gpu:h100:4
NodeName=node01 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=$((slurm_port - 2))
NodeName=node02 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=$((slurm_port - 1))
PartitionName=gpu Nodes=node01,node02 Default=YES
PartitionName=short Nodes=node02 MaxTime=00:30:00
CONF
}

slurm_serve() {
  local node
  export SLURM_CONF=$slurm/slurm.conf
  munged --foreground --force --socket="$slurm/munge.sock" --key-file="$slurm/munge.key" --seed-file="$slurm/munge.seed" \
    --pid-file="$slurm/munge.pid" --log-file="$slurm/munge.log" &
  until [[ -S $slurm/munge.sock ]]; do sleep 0.05; done
  mkdir "$slurm/state"
  slurmctld -D -i &
  for node in node01 node02; do
    mkdir "$slurm/spool-$node"
    slurmd -D -N "$node" &
  done
  # It refuses to run as root and as Slurm's own user. Without -s it wants accounting.
  setpriv --reuid=nobody --regid=nogroup --clear-groups env SLURM_JWT=daemon SLURMRESTD_SECURITY=disable_user_check \
    slurmrestd -a rest_auth/jwt -s openapi/v0.0.38,openapi/v0.0.37 "127.0.0.1:$slurm_port" &
}
