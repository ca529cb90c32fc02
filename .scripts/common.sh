# Messages, help, and the nearest word to a mistyped one. Sourced by lab and test.sh.

note() { printf '%s\n' "$*" >&2; }

die() {
  printf 'lab: %s\n' "$*" >&2
  exit 1
}

# did_you_mean WORD CANDIDATES: " Did you mean ...?" for the nearest, nothing when none is near.
did_you_mean() {
  for candidate in $2; do
    printf '%s\n' "$candidate"
  done | awk -v word="$1" -f .scripts/nearest.awk
}

# help_text NAME: the part of .scripts/help.txt between "== NAME" and the next "==".
help_text() {
  awk -v name="$1" '
    /^== / { inside = ($2 == name); found = found || inside; next }
    inside
    END { exit !found }
  ' .scripts/help.txt || die "no help for \"$1\".$(did_you_mean "$1" "$VERBS") All verbs: ./lab"
}
