#!/bin/sh
# bench_delay.sh FOLDER [--rounds N] [--waves N]: those inside an overloaded server, with
# and without --max-delay-ms.
#
# A few clients ask at a fixed rate (open loop: a late answer makes the next one no later). Beside
# them wave after wave of a hundred others comes, each of which asks again at once. One server lets
# all in, the other one has the limit; they take turns. What counts is how long the few wait.
set -eu

rounds=3
waves=15
limit=20
folder=$1
shift
while [ $# -gt 0 ]; do
  case $1 in
    --short) rounds=1 ;;
    --rounds) rounds=$2 && shift ;;
    --waves) waves=$2 && shift ;;
    *)
      echo "bench_delay.sh: unknown \"$1\". There are: --rounds N, --waves N, --short" >&2
      exit 2
      ;;
  esac
  shift
done
if [ "$(nproc)" -lt 2 ]; then
  echo "SKIP: one processor for server and clients measures neither"
  exit 77
fi

mkdir -p "$folder"
server=''
end() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  wait
}
trap end EXIT

ask() {
  taskset -c 1 build/release/bin/ringload 127.0.0.1 "$port" --quiet --json "$@" 2>/dev/null || true
}

# number NAME FILE: the first number of that name behind latency_ns.
number() {
  sed -n "s/.*\"latency_ns\":{[^}]*\"$1\":\([0-9]*\).*/\1/p" "$2" | head -n 1
}

# run MS: p50 and p99 of the few, in ms, and how many of the crowd asked in vain.
run() {
  taskset -c 0 build/release/bin/echo-server --address 127.0.0.1 --port 0 --workers 1 --no-pin \
    --stats-interval-ms 0 --max-delay-ms "$1" >"$folder/server.out" 2>"$folder/server.log" &
  server=$!
  port=
  for _ in $(seq 100); do
    port=$(sed -n 's/.*listening on .*:\([0-9]*\).*/\1/p' "$folder/server.out" | head -n 1)
    [ -z "$port" ] || break
    sleep 0.1
  done
  if [ -z "$port" ]; then
    cat "$folder/server.log" >&2
    exit 1
  fi
  # The first wave comes when the few are inside; what is measured begins after the last one.
  before=$((waves / 3 + 3))
  ask --connections 64 --depth 16 --rate 200 --warmup "$before" --duration 4 >"$folder/few.json" &
  few=$!
  crowd=
  sleep 1
  for _ in $(seq "$waves"); do
    ask --connections 100 --warmup 0 --duration $((before + 5)) >/dev/null &
    crowd="$crowd $!"
    sleep 0.33
  done
  wait "$few"
  kill -TERM "$server"
  # shellcheck disable=SC2086  # a list
  wait "$server" $crowd || true
  server=
  refused=$(sed -n 's/.*limit_refused delay: \([0-9]*\).*/\1/p' "$folder/server.log" | tail -n 1)
  printf '%s %s %s\n' "$(number p50 "$folder/few.json")" "$(number p99 "$folder/few.json")" \
    "${refused:-0}"
}

echo "# Linux $(uname -r), $(nproc) processors, load of the machine at the start:" \
  "$(cut -d' ' -f1 /proc/loadavg)"
echo "# 64 clients ask 200 times a second in all; $waves waves of 100 others come"
printf '%-8s%-22s%12s%12s%14s\n' '# round' 'server' 'p50, ms' 'p99, ms' 'not let in'
: >"$folder/all.tsv"
for round in $(seq "$rounds"); do
  # Who is first alternates.
  if [ $((round % 2)) = 0 ]; then order="$limit 0"; else order="0 $limit"; fi
  for ms in $order; do
    result=$(run "$ms")
    echo "$ms $result" >>"$folder/all.tsv"
    echo "$round $ms $result" | awk '{
      printf "%-8s%-22s%12.1f%12.1f%14d\n", $1, ($2 ? "--max-delay-ms " $2 : "lets all in"),
        $3 / 1e6, $4 / 1e6, $5 }'
  done
done
