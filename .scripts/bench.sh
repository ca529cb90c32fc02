# The benchmarks: ./lab bench. Sourced by lab.
# Each one writes its figures and plots into a folder of its own in build/bench.

BENCHES="echo http tls proxy ringio files load delay"

bench() {
  case ${1:-} in
    '') bench_all ;;
    [0-9]*)
      lesson=$(lesson_find "$1")
      shift
      bench_lesson "$lesson" "$@"
      ;;
    *)
      name=$1
      case " $BENCHES " in
        *" $name "*) ;;
        *) die "no benchmark \"$name\".$(did_you_mean "$name" "$BENCHES") There are: $BENCHES," \
          "and each lesson of chapter 05: ./lab bench 05/03" ;;
      esac
      shift
      need bench
      "bench_$name" "$@"
      ;;
  esac
}

# The programs find each other beside themselves, and their figures land where the report looks.
bench_echo() {
  build release bench-echo echo-server epoll-echo session-echo ringload
  build/release/bin/bench-echo --out build/bench/echo "$@"
}

# nginx and h2o are taken as found: their packages start a service, which is not ours to do.
bench_http() {
  build release bench-http http-server echo-server ringload
  build/release/bin/bench-http --out build/bench/http "$@"
}

bench_tls() {
  build release http-server
  sh .scripts/bench_tls.sh build/bench/tls "$@"
}

# haproxy and nginx are taken as found, as in bench_http.
bench_proxy() {
  build release proxy echo-server ringload
  sh .scripts/bench_proxy.sh build/bench/proxy "$@"
}

bench_ringio() {
  need ringio
  build release bench-ringio ringio
  build/release/bin/bench-ringio --out build/bench/ringio "$@"
}

bench_files() {
  build release bench-files ring-cp ring-cat
  build/release/bin/bench-files --out build/bench/files "$@"
}

# Under overload: those inside, with and without a limit of the delay.
bench_delay() {
  build release echo-server ringload
  sh .scripts/bench_delay.sh build/bench/delay "$@"
}

# Latency against load: the capstone on one core, the generator on another.
bench_load() {
  build release echo-server ringload
  mkdir -p build/bench/load
  log=build/bench/load/server.log
  taskset -c 0 build/release/bin/echo-server --port 0 --workers 1 >"$log" 2>&1 &
  server=$!
  trap 'kill $server 2>/dev/null; wait $server 2>/dev/null || true' EXIT
  for attempt in 1 2 3 4 5 6 7 8 9 10; do
    port=$(sed -n 's/.*listening on .*:\([0-9]*\).*/\1/p' "$log" | head -n 1)
    [ -z "$port" ] || break
    sleep 0.1
  done
  [ -n "$port" ] || die "the server did not start within $attempt tenths of a second: $(cat "$log")"
  status=0
  build/release/bin/ringload 127.0.0.1 "$port" --sweep auto --cpu 1 --server-cpu 0 \
    --plot build/bench/load "$@" || status=$?
  kill $server
  wait $server 2>/dev/null || true
  trap - EXIT
  return $status
}

# bench_lesson FOLDER [ROUNDS]: the lesson's own program, with more rounds and its plot.
bench_lesson() {
  case $1 in
    05-*) ;;
    *) die "$1 measures nothing. The lessons that do: ./lab list, chapter 05" ;;
  esac
  need bench
  build release "$(lesson_target "$1")"
  out=build/bench/$(lesson_number "$1" | tr / -)
  mkdir -p "$out"
  LAB_PLOTS=$out LAB_WATCHDOG_S=600 "build/release/bin/$(lesson_target "$1")" "${2:-31}"
  # This lesson's table is the whole comparison, which takes ten minutes.
  if [ "$1" = 05-performance/10-epoll-vs-io_uring ] && [ -z "${2:-}" ]; then
    bench_echo --lesson --out "$out"
  fi
  plots_small "$out"
}

# plots_small FOLDER: what is committed has at most 15 KB a plot (tests/tidy).
plots_small() {
  command -v python3 >/dev/null || return 0
  for plot in "$1"/*.svg; do
    [ ! -f "$plot" ] || python3 -B .scripts/plot.py "$plot" || true
  done
}

# Everything, short, and one page of it. What fails is on the page, too.
bench_all() {
  need bench
  need ringio
  build release doctor bench-echo bench-http bench-ringio bench-files echo-server epoll-echo \
    http-server ringload ringio ring-cp ring-cat
  mkdir -p build/bench
  rm -f build/bench/parts
  build/release/bin/doctor >build/bench/doctor.txt 2>&1 || true
  for lesson in $(lessons | grep '^05-'); do
    bench_part "$(lesson_number "$lesson" | tr / -)" "$(lesson_fact "$lesson" title)" \
      bench_lesson "$lesson" 7
  done
  bench_part echo "The echo server beside a plain epoll echo" bench_echo --short
  bench_part http "The web server beside nginx and h2o" bench_http --short
  bench_part load "Latency against load" bench_load --short
  bench_part ringio "File I/O beside fio" bench_ringio --short
  bench_part files "cp and cat beside coreutils" bench_files --short
  sh .scripts/report.sh build/bench >build/bench/report.html
  note "report: build/bench/report.html"
  ! grep -q '^failed' build/bench/parts || die "not all of it ran: see the report"
}

# bench_part NAME TITLE COMMAND...: runs it into its folder and notes how it ended.
bench_part() {
  part=$1
  title=$2
  shift 2
  note "bench: $part, $title"
  rm -rf "build/bench/$part"
  mkdir -p "build/bench/$part"
  part_status=0
  ("$@") >"build/bench/$part/output.txt" 2>&1 </dev/null || part_status=$?
  case $part_status in
    0) ended=ran ;;
    77) ended=skipped ;;
    *)
      ended=failed
      # The tools say with 1 that a target was missed, with 2 that nothing was measured.
      case $part_status$part in 1[a-z]*) ended=below ;; esac
      tail -n 5 "build/bench/$part/output.txt" >&2
      ;;
  esac
  printf '%s\t%s\t%s\n' "$ended" "$part" "$title" >>build/bench/parts
}
