#!/bin/sh
# bench_proxy.sh FOLDER [--rounds N] [--seconds S]: the proxy beside haproxy and nginx (stream).
#
# All three have one thread on processor 0 and send on to the same echo server, which shares
# processor 1 with the generator; with three processors it has the third. They take turns, each
# round gives a ratio, and the table has the median. CPU is the proxy's own: it says more than the
# rate wherever the echo server or the generator is the limit.
set -eu

rounds=15
seconds=1
folder=$1
shift
while [ $# -gt 0 ]; do
  case $1 in
    --short) rounds=3 seconds=0.5 ;;
    --rounds) rounds=$2 && shift ;;
    --seconds) seconds=$2 && shift ;;
    *)
      echo "bench_proxy.sh: unknown \"$1\". There are: --rounds N, --seconds S, --short" >&2
      exit 2
      ;;
  esac
  shift
done

PATH=$PATH:/usr/sbin
if ! command -v taskset >/dev/null; then
  echo "SKIP: taskset is not here. Cure: install util-linux"
  exit 77
fi
if [ "$(nproc)" -lt 2 ]; then
  echo "SKIP: one processor for a proxy and its two ends measures none of them"
  exit 77
fi

# The module of nginx is built in, or a file of a package of its own.
stream_module() {
  built=$(nginx -V 2>&1 | tr ' ' '\n')
  case $built in *--with-stream=dynamic*) ;; *--with-stream*) return 0 ;; esac
  file=$(echo "$built" | sed -n 's/^--modules-path=//p')/ngx_stream_module.so
  [ -f "$file" ] && echo "load_module $file;"
}
them=
if command -v haproxy >/dev/null; then
  them=haproxy
else
  echo "# without haproxy: it is not here. Cure: install haproxy"
fi
if ! command -v nginx >/dev/null; then
  echo "# without nginx: it is not here. Cure: install nginx, and its stream module"
elif ! module=$(stream_module); then
  echo "# without nginx: its stream module is not here. Cure: install libnginx-mod-stream"
else
  them="$them nginx"
fi
if [ -z "$them" ]; then
  echo "SKIP: there is nothing to compare with. Cure: install haproxy, or libnginx-mod-stream"
  exit 77
fi

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
servers=''
end() {
  for server in $servers; do kill "$server" 2>/dev/null || true; done
  wait
}
trap end EXIT

# port_after N: one that is free now. The server that takes it says so if it is not any more.
port_after() {
  port=$1
  while grep -qi ":$(printf %04X "$port") " /proc/net/tcp; do port=$((port + 1)); done
  echo "$port"
}
# port_of LOG: where one of ours listens.
port_of() {
  for _ in $(seq 40); do
    port=$(sed -n 's/.*listening on .*:\([0-9]*\).*/\1/p' "$1" | head -n 1)
    [ -z "$port" ] || break
    sleep 0.25
  done
  if [ -z "$port" ]; then
    echo "a server did not start:" >&2
    cat "$1" >&2
    exit 1
  fi
  echo "$port"
}

echo_cpu=$(($(nproc) > 2 ? 2 : 1))
taskset -c "$echo_cpu" build/release/bin/echo-server --address 127.0.0.1 --port 0 --workers 1 \
  >"$folder/echo.log" 2>&1 &
servers=$!
upstream=127.0.0.1:$(port_of "$folder/echo.log")

taskset -c 0 build/release/bin/proxy --address 127.0.0.1 --port 0 --workers 1 --to "$upstream" \
  >"$folder/proxy.log" 2>&1 &
pid_ours=$!
servers="$servers $pid_ours"
# shellcheck disable=SC2034  # measure reads it, by name
port_ours=$(port_of "$folder/proxy.log")

port_haproxy=$(port_after 9100)
cat >"$folder/haproxy.conf" <<CONFIGURATION
global
  nbthread 1
  maxconn 4096
defaults
  mode tcp
  timeout connect 5s
  timeout client 600s
  timeout server 600s
listen bench
  bind 127.0.0.1:$port_haproxy
  server echo $upstream
CONFIGURATION
port_nginx=$(port_after 9200)
cat >"$folder/nginx.conf" <<CONFIGURATION
${module:-}
daemon off;
worker_processes 1;
pid $folder/nginx.pid;
error_log $folder/nginx.log;
events { worker_connections 16384; multi_accept on; use epoll; }
stream {
  server {
    listen 127.0.0.1:$port_nginx reuseport backlog=4096;
    tcp_nodelay on;
    proxy_timeout 600s;
    proxy_pass $upstream;
  }
}
CONFIGURATION
for name in $them; do
  case $name in
    haproxy) taskset -c 0 haproxy -db -f "$folder/haproxy.conf" >"$folder/haproxy.log" 2>&1 & ;;
    *) taskset -c 0 nginx -e "$folder/nginx.log" -c "$folder/nginx.conf" & ;;
  esac
  eval "pid_$name=$!"
  servers="$servers $!"
done
sleep 0.5
for name in $them; do
  eval "pid=\$pid_$name"
  # shellcheck disable=SC2154  # eval sets it
  kill -0 "$pid" 2>/dev/null && continue
  echo "$name did not start:" >&2
  cat "$folder/$name.log" >&2
  exit 1
done

# measure NAME FLAG...: one line of JSON.
measure() {
  eval "at=\$port_$1 pid=\$pid_$1"
  shift
  # shellcheck disable=SC2154  # eval sets it
  build/release/bin/ringload 127.0.0.1 "$at" --cpu 1 --server-pid "$pid" --json --quiet \
    --warmup 0.2 --duration "$seconds" "$@"
}
# field NAME: its number in the JSON on stdin.
field() { sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p"; }

# Requests: how many a second, and microseconds of CPU for each. Streams: MB that came through in a
# second, and nanoseconds of CPU for each KiB of them.
result() {
  case $work in
    messages)
      json=$(measure "$1" --connections 64 --size 64)
      echo "$(echo "$json" | field requests_per_second)" \
        "$(echo "$json" | field server_process_us_per_request)"
      ;;
    streams)
      json=$(measure "$1" --connections 4 --stream)
      echo "$json" | field bytes_in >"$folder/bytes"
      echo "$json" | field server_process_s >"$folder/cpu"
      echo "$json" | field mb_in_per_second | paste - "$folder/bytes" "$folder/cpu" |
        awk '{ printf "%s %.3f\n", $1, ($2 > 0 ? $3 * 1e9 / ($2 / 1024) : 0) }'
      ;;
  esac
}

about="Linux $(uname -r), $(nproc) processors"
for name in $them; do
  case $name in
    haproxy) about="$about, haproxy $(haproxy -v | sed -n '1s/.*version \([0-9.]*\).*/\1/p')" ;;
    *) about="$about, $(nginx -v 2>&1 | sed 's/.*: //; s,/, ,')" ;;
  esac
done
echo "# $about"
echo "# $rounds rounds of $seconds s, load of the machine at the start:" \
  "$(cut -d' ' -f1 /proc/loadavg)"
printf '%-34s%10s%10s%8s%12s%12s%8s\n' \
  '# work, beside whom' 'ours' 'theirs' 'ratio' 'ours, CPU' 'theirs, CPU' 'ratio'
for work in messages streams; do
  for name in $them; do : >"$folder/$work.$name.tsv"; done
  round=0
  while [ $round -lt "$rounds" ]; do
    for name in $them; do
      # Who is first alternates.
      if [ $((round % 2)) = 0 ]; then
        us=$(result ours)
        other=$(result "$name")
      else
        other=$(result "$name")
        us=$(result ours)
      fi
      echo "$us $other" >>"$folder/$work.$name.tsv"
    done
    round=$((round + 1))
  done
  for name in $them; do
    case $work in
      messages) title="64 x 64 B, requests/s, us: $name" ;;
      *) title="4 streams, MB/s, ns/KiB: $name" ;;
    esac
    awk -v title="$title" -v widths="34 12" -f .scripts/pairs.awk "$folder/$work.$name.tsv"
  done
done
