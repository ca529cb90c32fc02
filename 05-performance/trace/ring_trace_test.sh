#!/bin/sh
# ring-trace as its user meets it. ring_trace_test.sh RING_TRACE ECHO_SERVER: exit 0 or what failed.
set -u

ring_trace=$1
server=$2
scratch=$(mktemp -d)
failures=0
search=$PATH

# try STATUS TEXT FLAGS...: ends with STATUS and prints TEXT, on either stream.
try() {
  want_status=$1
  want_text=$2
  shift 2
  status=0
  timeout 300 env PATH="$search" "$ring_trace" "$@" >"$scratch/output" 2>&1 || status=$?
  if [ "$status" != "$want_status" ] || ! grep -qF -- "$want_text" "$scratch/output"; then
    echo "FAIL: ring-trace $*: exit $status, wanted $want_status and \"$want_text\"; it printed:"
    sed 's/^/  /' "$scratch/output"
    failures=$((failures + 1))
  fi
}

"$server" --port 0 --workers 1 >"$scratch/server" 2>&1 &
supervisor=$!
trap 'kill $supervisor 2>/dev/null; wait $supervisor 2>/dev/null; rm -rf "$scratch"' EXIT

# worker_of SUPERVISOR: its worker, once that has a ring; a minute at most.
worker_of() {
  for _ in $(seq 600); do
    child=$(cut -d ' ' -f 1 "/proc/$1/task/$1/children")
    # shellcheck disable=SC2010 # descriptors are numbers
    if [ -n "$child" ] && ls -l "/proc/$child/fd" | grep -q 'io_uring'; then
      echo "$child"
      return
    fi
    sleep 0.1
  done
}
worker=$(worker_of $supervisor)

try 0 'How to read it' --help
try 2 'PID is required'
try 2 'not between' 0
try 2 '--seconds' $$ --seconds 0
# No process has a number beyond the system's limit.
try 1 'there is no process 4194304' 4194304
try 1 "these have rings: $supervisor" $$ --no-latencies
sleep 60 &
sleeper=$!
try 1 'One made with REGISTERED_FD_ONLY has none' $sleeper --no-latencies
kill $sleeper
try 0 'each waits for its file' "$worker" --no-latencies
grep -q 'ACCEPT 1' "$scratch/output" || {
  echo "FAIL: the server's accept is not among the armed polls:"
  sed 's/^/  /' "$scratch/output"
  failures=$((failures + 1))
}
search=/nonexistent
try 0 'bpftrace is not installed' "$worker"
search=$PATH
if [ "$(id -u)" = 0 ] && setpriv --version >/dev/null 2>&1; then
  ring_trace_of_root=$ring_trace
  ring_trace=$scratch/as-nobody
  chmod 755 "$scratch"
  cp "$ring_trace_of_root" "$scratch/ring-trace"
  printf '#!/bin/sh\nexec setpriv --reuid 65534 --regid 65534 --clear-groups %s "$@"\n' \
    "$scratch/ring-trace" >"$ring_trace"
  chmod 755 "$ring_trace" "$scratch/ring-trace"
  try 1 'with sudo' "$worker"
  # Root without the right to look into others: sudo is no cure for it.
  rights='--bounding-set -sys_ptrace --inh-caps -sys_ptrace'
  printf '#!/bin/sh\nexec setpriv %s %s "$@"\n' "$rights" "$scratch/ring-trace" >"$ring_trace"
  try 1 'Cure: run this with CAP_SYS_PTRACE' "$worker"

  # It may read a server without rights, but not the file that stands in place of one of that
  # server's: init's, which opens and then refuses to be read. The ring is shown all the same.
  setpriv --bounding-set=-all --inh-caps=-all "$server" --port 0 --workers 1 >/dev/null 2>&1 &
  weak=$!
  weak_worker=$(worker_of $weak)
  file=/proc/$weak_worker/task/$weak_worker/syscall
  printf '#!/bin/sh\nmount --bind /proc/1/syscall %s && exec setpriv %s %s "$@"\n' \
    "$file" "$rights" "$scratch/ring-trace" >"$scratch/inside"
  printf '#!/bin/sh\nexec unshare --mount %s "$@"\n' "$scratch/inside" >"$ring_trace"
  chmod 755 "$scratch/inside"
  if unshare --mount mount --bind /proc/1/syscall "$file" 2>/dev/null; then
    try 0 'not known, for it may not be read here: which threads wait' "$weak_worker" \
      --no-latencies
    grep -q 'each waits for its file' "$scratch/output" || {
      echo "FAIL: what may be read is not shown:"
      sed 's/^/  /' "$scratch/output"
      failures=$((failures + 1))
    }
  fi
  kill $weak
  wait $weak 2>/dev/null
fi
# The server's clock is a multishot that was armed before: its ticks are in the table.
if [ "$(id -u)" = 0 ] && timeout 20 bpftrace -e 'BEGIN { exit(); }' >/dev/null 2>&1; then
  ring_trace=$1
  try 0 'operations of the whole process' "$worker"
  grep -qE '^  armed before +0 +- +- +0 +[1-9]' "$scratch/output" || {
    echo "FAIL: the table has no line for what was armed before:"
    sed 's/^/  /' "$scratch/output"
    failures=$((failures + 1))
  }
fi
# Last, for the server is another one then.
ring_trace=$1
# Killed between its two looks at the rings: it sleeps only there.
"$ring_trace" "$worker" --seconds 3 >"$scratch/output" 2>&1 &
tracer=$!
asleep=0
while [ $asleep -lt 3 ] && [ -e /proc/$tracer/status ]; do
  asleep=$((asleep + 1))
  grep -q '^State:.S' /proc/$tracer/status || asleep=0
  sleep 0.05
done
kill -KILL "$worker"
status=0
wait $tracer || status=$?
if [ $status != 1 ] || ! grep -qF "process $worker ended meanwhile" "$scratch/output"; then
  echo "FAIL: exit $status, wanted 1 and \"process $worker ended meanwhile\"; it printed:"
  sed 's/^/  /' "$scratch/output"
  failures=$((failures + 1))
fi
if grep -q 'closed meanwhile' "$scratch/output"; then
  echo "FAIL: the rings of an ended process are not closed ones:"
  sed 's/^/  /' "$scratch/output"
  failures=$((failures + 1))
fi
[ $failures = 0 ]
