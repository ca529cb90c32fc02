#!/bin/sh
# ./lab test [filter]: see .scripts/help.txt.
set -eu

LAB_ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
cd "$LAB_ROOT"
. .scripts/common.sh
. .scripts/setup.sh
. .scripts/build.sh
. .scripts/format.sh
. .scripts/docs.sh
. .scripts/pages.sh
. .scripts/pictures.sh

CHECKS="walk lab-script tidy-catches pages docs site-browser tidy format pictures shellcheck"
filter=${1:-}
results=build/test
passed=0
failed=0
skipped=0

main() {
  need test
  rm -rf $results
  mkdir -p $results
  # The bare name of a check needs no build.
  case " $CHECKS " in
    *" $filter "*) ;;
    *) for preset in release asan; do ctest_in "$preset"; done ;;
  esac
  checks_run
  report
}

# Every test program of one preset; what cannot be built is a failed test too.
ctest_in() {
  note "== $1: build"
  if ! (build "$1" all); then
    failed=$((failed + 1))
    echo "build of $1" >>$results/failed
    return
  fi
  note "== $1: tests"
  set -- "$1" --test-dir "build/$1" --parallel "$(nproc)" --output-on-failure --no-tests=ignore \
    --output-junit "$LAB_ROOT/$results/$1.xml"
  [ -z "$filter" ] || set -- "$@" --tests-regex "$filter"
  preset=$1
  shift
  # Its verdict is in the file; what it prints is for the eye.
  ctest "$@" || true
  [ -f "$results/$preset.xml" ] || {
    # Without a match ctest writes no file; a crash of ctest itself must not look like that.
    known=$(ctest --test-dir "build/$preset" -N ${filter:+-R "$filter"} | grep '^Total Tests: ')
    [ "$known" = "Total Tests: 0" ] || {
      failed=$((failed + 1))
      echo "ctest ($preset) left no result" >>$results/failed
    }
    return
  }
  awk -v preset="$preset" -f .scripts/junit.awk "$results/$preset.xml" >"$results/$preset.tally"
  passed=$((passed + $(grep -c '^passed' "$results/$preset.tally" || true)))
  failed=$((failed + $(grep -c '^failed' "$results/$preset.tally" || true)))
  skipped=$((skipped + $(grep -c '^skipped' "$results/$preset.tally" || true)))
  sed -n 's/^failed //p' "$results/$preset.tally" >>$results/failed
  sed -n 's/^skipped //p' "$results/$preset.tally" >>$results/skipped
}

# The checks run beside each other, as many as there are processors, after all that measures. They
# are started in the order of CHECKS, the longest first; each is told when all before it are done.
checks_run() {
  for check in $CHECKS; do
    ! printf '%s\n' "$check" | grep -qE -- "$filter" || printf '%s\n' "$check"
  done >$results/checks
  xargs -P "$(nproc)" -I '{}' sh .scripts/test.sh --check '{}' <$results/checks &
  while read -r check; do
    note "== check: $check"
    # "|| true": a check that was killed has no status, and counts as failed.
    until [ -f "$results/$check.status" ] || ! kill -0 $! 2>/dev/null; do sleep 0.2; done
    check_tally "$check" "$(cat "$results/$check.status" 2>/dev/null || true)"
  done <$results/checks
  wait $! || true
}

# One check, in a process of its own: its words and how it ended are files.
check_run() {
  status=0
  ("check_$(echo "$1" | tr - _)") >"$results/$1.log" 2>&1 </dev/null || status=$?
  echo $status >"$results/$1.ended"
  mv "$results/$1.ended" "$results/$1.status"
}

# A check prints its findings: 0 is passed, 77 skipped with a line "SKIP: reason", else failed.
check_tally() {
  case $2 in
    0) passed=$((passed + 1)) ;;
    77)
      skipped=$((skipped + 1))
      echo "$1: $(sed -n 's/^SKIP: //p' "$results/$1.log" | head -n 1)" >>$results/skipped
      ;;
    *)
      failed=$((failed + 1))
      echo "$1" >>$results/failed
      cat "$results/$1.log"
      ;;
  esac
}

skip() {
  echo "SKIP: $*"
  exit 77
}

check_tidy() { tests/tidy; }

check_tidy_catches() { tests/tidy_test; }

check_format() {
  reason=$(format_check_unfit)
  [ -z "$reason" ] || skip "$reason"
  format_sources --check
}

check_pages() { tests/pages_test && pages_check; }

check_pictures() { pictures_build --check; }

check_docs() {
  command -v doxygen >/dev/null || skip "no doxygen here"
  tests/site_test &&
    docs_build $results/docs "HAVE_DOT = NO" "GENERATE_XML = YES" "XML_PROGRAMLISTING = NO" &&
    python3 -B .scripts/undocumented.py $results/docs &&
    python3 -B .scripts/site_pages.py check $results/docs
}

# In a folder of its own: the check docs may be building its site at the same time.
check_site_browser() {
  command -v doxygen >/dev/null || skip "no doxygen here"
  command -v chromium >/dev/null || command -v chromium-browser >/dev/null ||
    skip "no chromium here"
  docs_build $results/site "HAVE_DOT = NO" && tests/site_browser_test $results/site
}

check_shellcheck() {
  command -v shellcheck >/dev/null || skip "no shellcheck here"
  shellcheck --shell=sh --severity=warning --external-sources \
    lab .ci/run .ci/portable_smoke .scripts/*.sh docs/operations/*.sh tests/tidy tests/tidy_test \
    tests/lab_script_test
}

check_lab_script() { tests/lab_script_test; }

# Every lesson as a newcomer meets it: the road to its end, then what lies beside it.
check_walk() (
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  export LAB_PROGRESS="$folder/progress"
  export LAB_WATCHDOG_S=120  # a slow machine is no hang
  for way in --no-ask --all; do
    steps=0
    until grep -qE '^(The road|Every lesson) is done' "$folder/printed" 2>/dev/null; do
      ./lab next --no-ask $way >"$folder/printed" 2>&1 </dev/null || {
        cat "$folder/printed"
        return 1
      }
      steps=$((steps + 1))
      [ $steps -lt 500 ] || die "./lab next $way: no end after $steps steps"
    done
    rm "$folder/printed"
  done
  went=$(grep -cE '^(ran|skipped) ' "$LAB_PROGRESS")
  written=$(lesson_facts | grep -c .)
  [ "$went" = "$written" ] || die "./lab next went through $went of $written lessons"
)

report() {
  echo
  if [ -s $results/failed ]; then
    echo "Failed:"
    sed 's/^/  /' $results/failed
  fi
  if [ -s $results/skipped ]; then
    echo "Skipped:"
    sed 's/^/  /' $results/skipped
  fi
  [ $((passed + failed)) -gt 0 ] || echo "No test ran${filter:+: nothing is called \"$filter\"}."
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}

if [ "$#" = 2 ] && [ "$1" = --check ]; then
  check_run "$2"
  exit
fi
case $filter in
  -*) die "test has no flag $filter, but takes a part of a test's name. Help: ./lab test --help" ;;
esac
main
