#!/bin/sh
# What bench-echo and epoll-echo refuse, and why. bench_echo_test.sh BENCH_ECHO EPOLL_ECHO: exit 0
# or what failed.
set -u

bench=$1
baseline=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0
cpu=$(awk '/^Cpus_allowed_list:/ { split($2, list, "[-,]"); print list[1] }' /proc/self/status)

# refused TEXT PROGRAM FLAGS...: ends with 2 and says TEXT.
refused() {
  text=$1
  shift
  status=0
  timeout 20 "$@" >"$scratch/output" 2>&1 || status=$?
  if [ "$status" != 2 ] || ! grep -qF -- "$text" "$scratch/output"; then
    echo "FAIL: $*: exit $status, wanted 2 and \"$text\"; it printed:"
    sed 's/^/  /' "$scratch/output"
    failures=$((failures + 1))
  fi
}

refused 'nan is not between' "$bench" --seconds nan
refused 'may not run on processor 4095. Cure: one of' "$bench" --server-cpu 4095
refused 'the same as --client-cpu' "$bench" --server-cpu "$cpu" --client-cpu "$cpu"
# --memory: it needs one processor and no load.
refused '/nope cannot be run: No such file or directory' \
  "$bench" --memory --server /nope --server-cpu "$cpu" --out "$scratch/out"
refused 'not expected: --nope' "$baseline" --nope
refused 'not between' "$baseline" --workers 0
[ $failures = 0 ]
