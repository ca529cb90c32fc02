#!/bin/sh
# bench_tls.sh FOLDER [--rounds N] [--seconds S]: the web server over TLS beside nginx.
#
# Both have one worker on processor 0, the client is on processor 1. They take turns, each round
# gives a ratio, and the table has the median. Same certificate (P-256), same cipher
# (AES-128-GCM), TLS 1.3; the resumed handshakes are TLS 1.2, because openssl s_time cannot keep a
# ticket of 1.3. CPU is the server's: it is less moved by what else runs here.
set -eu

rounds=5
seconds=2
folder=$1
shift
while [ $# -gt 0 ]; do
  case $1 in
    --short) rounds=3 seconds=1 ;;
    --rounds) rounds=$2 && shift ;;
    --seconds) seconds=$2 && shift ;;
    *)
      echo "bench_tls.sh: unknown \"$1\". There are: --rounds N, --seconds S, --short" >&2
      exit 2
      ;;
  esac
  shift
done

for program in nginx h2load openssl taskset; do
  PATH=$PATH:/usr/sbin command -v "$program" >/dev/null && continue
  echo "SKIP: $program is not here. Cure: install nginx, nghttp2-client, openssl and util-linux"
  exit 77
done
if [ "$(nproc)" -lt 2 ]; then
  echo "SKIP: one processor for server and client measures neither"
  exit 77
fi
PATH=$PATH:/usr/sbin

mkdir -p "$folder/site"
folder=$(cd "$folder" && pwd)
ours=''
theirs=''
end() {
  for server in $ours $theirs; do kill "$server" 2>/dev/null || true; done
  wait
}
trap end EXIT

head -c 1024 /dev/urandom >"$folder/site/1k.bin"
head -c 1048576 /dev/urandom >"$folder/site/1m.bin"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
  -days 1 -keyout "$folder/key.pem" -out "$folder/cert.pem" 2>/dev/null

# A port that is free now. The server that takes it says so if it is not any more.
nginx_port=8443
while grep -qi ":$(printf %04X "$nginx_port") " /proc/net/tcp; do
  nginx_port=$((nginx_port + 1))
done
{
  [ "$(id -u)" != 0 ] || echo 'user root;'
  cat <<CONFIGURATION
daemon off;
worker_processes 1;
pid $folder/nginx.pid;
error_log $folder/nginx.log;
events { worker_connections 16384; multi_accept on; use epoll; }
http {
  types { application/octet-stream bin; }
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on;
  keepalive_timeout 600s; keepalive_requests 1000000000;
  open_file_cache max=1000 inactive=600s; open_file_cache_valid 600s;
  client_body_temp_path $folder/nginx.body; proxy_temp_path $folder/nginx.proxy;
  fastcgi_temp_path $folder/nginx.fastcgi; uwsgi_temp_path $folder/nginx.uwsgi;
  scgi_temp_path $folder/nginx.scgi;
  server {
    listen 127.0.0.1:$nginx_port ssl reuseport backlog=4096;
    ssl_certificate $folder/cert.pem; ssl_certificate_key $folder/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets on;
    root $folder/site;
  }
}
CONFIGURATION
} >"$folder/nginx.conf"
taskset -c 0 nginx -e "$folder/nginx.log" -c "$folder/nginx.conf" &
theirs=$!
taskset -c 0 build/release/bin/http-server "$folder/site" --address 127.0.0.1 --port 0 --workers 1 \
  --tls-cert "$folder/cert.pem" --tls-key "$folder/key.pem" >"$folder/server.log" 2>&1 &
ours=$!
our_port=
for _ in $(seq 40); do
  our_port=$(sed -n 's/.*listening on .*:\([0-9]*\).*/\1/p' "$folder/server.log" | head -n 1)
  [ -z "$our_port" ] || break
  sleep 0.25
done
if [ -z "$our_port" ] || ! kill -0 "$theirs" 2>/dev/null; then
  echo "a server did not start:" >&2
  cat "$folder/server.log" "$folder/nginx.log" >&2
  exit 1
fi

# ticks PID: user and system time of the process and its children, in ticks of the clock.
ticks() {
  for process in "$1" $(cat "/proc/$1/task/$1/children"); do
    sed 's/.*) //' "/proc/$process/stat"
  done | awk '{ sum += $12 + $13 } END { print sum }'
}

# Each prints how often it was done in a second, and how often in all.
load_1k() { h2load_rate "$1" 1k.bin 64; }
load_1m() { h2load_rate "$1" 1m.bin 8; }
h2load_rate() {
  taskset -c 1 h2load --h1 --tls13-ciphers=TLS_AES_128_GCM_SHA256 -c "$3" -t 1 -D "$seconds" \
    "https://127.0.0.1:$1/$2" 2>/dev/null |
    awk '
      /^finished in/ { rate = $4 }
      /^requests:/ { done = $6 }
      END { print rate + 0, done + 0 }'
}
handshakes_full() { s_time_rate "$1" -new -tls1_3 -ciphersuites TLS_AES_128_GCM_SHA256; }
handshakes_resumed() { s_time_rate "$1" -reuse -tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256; }
# Four clients: one spends more on a handshake than a server does.
s_time_rate() {
  at=$1
  shift
  for client in 1 2 3 4; do
    taskset -c 1 openssl s_time -connect "127.0.0.1:$at" -time "$seconds" "$@" \
      >"$folder/s_time.$client" 2>/dev/null &
    eval "client_$client=$!"
  done
  # shellcheck disable=SC2154  # eval sets them
  for client in "$client_1" "$client_2" "$client_3" "$client_4"; do wait "$client" || true; done
  awk '/real seconds/ { rate += $1 / $4; done += $1 } END { print rate + 0, done + 0 }' \
    "$folder"/s_time.[1-4]
}

# measure WORK PORT PID: rate, and microseconds of the server's CPU for each.
measure() {
  before=$(ticks "$3")
  result=$("$1" "$2")
  echo "$result $before $(ticks "$3")" | awk -v hz="$(getconf CLK_TCK)" '{
    printf "%.1f %.2f\n", $1, ($2 > 0 ? ($4 - $3) / hz * 1e6 / $2 : 0) }'
}

echo "# Linux $(uname -r), $(nproc) processors, $(nginx -v 2>&1 | sed 's/.*: //')," \
  "$(openssl version | cut -d' ' -f1-2)"
echo "# $rounds rounds of $seconds s, load of the machine at the start:" \
  "$(cut -d' ' -f1 /proc/loadavg)"
printf '%-30s%10s%10s%8s%14s%14s%8s\n' \
  '# work' 'ours/s' 'nginx/s' 'ratio' 'ours, CPU us' 'nginx, CPU us' 'ratio'
for work in load_1k load_1m handshakes_full handshakes_resumed; do
  round=0
  : >"$folder/$work.tsv"
  while [ $round -lt "$rounds" ]; do
    # Who is first alternates.
    if [ $((round % 2)) = 0 ]; then
      us=$(measure $work "$our_port" "$ours")
      them=$(measure $work "$nginx_port" "$theirs")
    else
      them=$(measure $work "$nginx_port" "$theirs")
      us=$(measure $work "$our_port" "$ours")
    fi
    echo "$us $them" >>"$folder/$work.tsv"
    round=$((round + 1))
  done
  case $work in
    load_1k) title='1 KiB, 64 connections' ;;
    load_1m) title='1 MiB, 8 connections' ;;
    handshakes_full) title='handshakes, full, TLS 1.3' ;;
    *) title='handshakes, resumed, TLS 1.2' ;;
  esac
  awk -v title="$title" -v widths="30 14" -f .scripts/pairs.awk "$folder/$work.tsv"
done
