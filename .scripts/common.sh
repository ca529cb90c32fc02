# Messages, help, and the nearest word to a mistyped one. Sourced by lab and test.sh.

note() { printf '%s\n' "$*" >&2; }

die() {
  printf 'lab: %s\n' "$*" >&2
  exit 1
}

# As the program that the verb builds would end: wrong use is 2 there.
wrong_use() {
  printf 'lab: %s\n' "$*" >&2
  exit 2
}

# lock WHAT, unlock: build/WHAT is made by one ./lab at a time, and others wait here. What ends by
# die lets go with its process. A program is run after unlock, or a server would keep the lock.
lock() {
  command -v flock >/dev/null || return 0
  mkdir -p build
  exec 9>"build/$1.lock"
  flock -n 9 || {
    note "build: another ./lab is building $1: waiting for it"
    flock 9 || note "build: build/$1.lock cannot be locked: going on without it"
  }
}

# Let go by name: a process that outlives the build may have the descriptor too.
unlock() {
  command -v flock >/dev/null || return 0
  flock -u 9 || true
  exec 9>&-
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
