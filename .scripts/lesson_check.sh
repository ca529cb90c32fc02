#!/bin/sh
# lesson_check.sh PROGRAM EXPECTED: runs a lesson and compares what it prints with the file.
# lesson_check.sh PROGRAM --starter: an exercise not yet done has to fail, and say why.
# 0: as expected. 1: not, or it did not end well. 77: it skipped and said why.
set -u

scripts=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
program=$1
expected=$2
printed=$(mktemp)
trap 'rm -f "$printed"' EXIT

status=0
"$program" >"$printed" 2>&1 </dev/null || status=$?
if [ "$status" = 77 ]; then
  tail -n 1 "$printed"
  exit 77
fi
matches=1
if [ "$expected" = --starter ]; then
  # A sanitizer may be the first to see what is wrong, and has words of its own.
  grep -qE '^FAIL: |ERROR: AddressSanitizer: ' "$printed" || matches=0
else
  awk -v kernel="$(uname -r)" -f "$scripts/compare.awk" "$expected" "$printed" || matches=0
fi
# A lesson ends with OK or it failed. A broken one may end in any way that its file shows.
case ${expected##*/} in
  broken*) ended=1 ;;
  --starter) [ "$status" = 1 ] && ended=1 || ended=0 ;;
  *) [ "$status" = 0 ] && ended=1 || ended=0 ;;
esac
if [ "$matches$ended" != 11 ]; then
  echo "--- $program printed (exit $status):"
  cat "$printed"
  exit 1
fi
