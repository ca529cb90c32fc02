#!/bin/sh
# lesson_check.sh PROGRAM EXPECTED: runs a lesson and compares what it prints with the file.
# lesson_check.sh PROGRAM --starter: an exercise not yet done has to fail, and say why.
# lesson_check.sh PROGRAM --solution: it has to say OK. An exit code alone is no success: that of an
# empty file is 0 too.
# 0: as expected. 1: not, or it did not end well. 77: it skipped, or noise hid an effect; says why.
set -u

scripts=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
program=$1
expected=$2
printed=$(mktemp)
trap 'rm -f "$printed"' EXIT

# try SECONDS: runs it with so much time for its watchdog, and sets the verdict.
try() {
  status=0
  LAB_WATCHDOG_S=$1 "$program" >"$printed" 2>&1 </dev/null || status=$?
  verdict=1
  last=$(tail -n 1 "$printed")
  case $status$expected in
    77--*)
      case $last in "SKIP: "*) verdict=77 && echo "$last" ;; esac
      ;;
    # A sanitizer may be the first to see what is wrong, and has words of its own.
    1--starter) ! grep -qE '^FAIL: |ERROR: AddressSanitizer: ' "$printed" || verdict=0 ;;
    0--solution) [ "$last" != OK ] || verdict=0 ;;
    *--*) ;;
    *)
      verdict=0
      said=$(awk -v kernel="$(uname -r)" -f "$scripts/compare.awk" "$expected" "$printed") ||
        verdict=$?
      # A broken lesson may end in any way that its file shows.
      case $status${expected##*/} in 0* | 77* | *broken*) ;; *) verdict=1 ;; esac
      ;;
  esac
}

# A program that is there to hang need not be waited for, unless the machine is so slow that it has
# not come to that. Any other one may be slow.
said=
verdict=1
if [ "$expected" = --starter ] || grep -q "^FAIL: .* watchdog's time" "$expected" 2>/dev/null; then
  try 3
fi
case $verdict in 0 | 77) ;; *) try 120 ;; esac
[ -z "$said" ] || echo "$said"
if [ "$verdict" != 0 ] && [ "$verdict" != 77 ]; then
  echo "--- $program printed (exit $status):"
  cat "$printed"
  exit 1
fi
exit "$verdict"
