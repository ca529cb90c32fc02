# Fuzzing for as long as one likes. Sourced by lab.

FUZZ_TARGETS="connection target range accept_encoding conditions"

# fuzz TARGET [TIME]: what it learned is kept in build/fuzz/corpus and begins the next run.
fuzz() {
  target=${1:-}
  [ -n "$target" ] || die "fuzz what? One of: $FUZZ_TARGETS"
  case " $FUZZ_TARGETS " in
    *" $target "*) ;;
    *) die "\"$target\" is no fuzz target. One of: $FUZZ_TARGETS" ;;
  esac
  seconds=$(seconds_of "${2:-60}") || die "\"$2\" is no time. For example: 90, 10m, 8h"
  if ! command -v clang++ >/dev/null; then
    note "SKIP: libFuzzer comes with clang, which is not here. Cure: install clang"
    exit 77
  fi
  need test
  build fuzz "http-fuzz-$target"
  learned=build/fuzz/corpus/$target
  mkdir -p "$learned"
  # An input that fails is left in build/fuzz: give it to the program as its one argument.
  exec "build/fuzz/bin/http-fuzz-$target" -max_total_time="$seconds" -timeout=20 \
    -print_final_stats=1 -artifact_prefix="build/fuzz/$target-" \
    "$learned" "tests/http/corpus/$target"
}

# seconds_of TIME: a number with or without s, m, h.
seconds_of() {
  number=${1%[smh]}
  case $number in '' | *[!0-9]*) return 1 ;; esac
  case $1 in
    *m) echo $((number * 60)) ;;
    *h) echo $((number * 3600)) ;;
    *) echo "$number" ;;
  esac
}
