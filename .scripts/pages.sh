# The pages' regions, filled from the lessons' files: see pages.awk. Sourced by lab and test.sh.

# pages_fill [PAGE...]: fills all pages, or these. Says what it changed; 1 when a page has an error.
pages_fill() {
  pages_scratch=$(mktemp -d)
  pages_status=0
  pages_run "$@" || pages_status=1
  pages_errors
  # Written over, not moved: the file keeps its mode, and an editor its inode.
  sed -n 's/^stale \([0-9]*\) \([^:]*\):.*/\1 \2/p' "$pages_scratch/report" | sort -u |
    while read -r number page; do
      cat "$pages_scratch/$number" >"$page"
      note "pages: filled $page"
    done
  rm -rf "$pages_scratch"
  return $pages_status
}

# pages_check: each stale region, as file:line, and the cure. 1 when there is one, or an error.
pages_check() {
  pages_scratch=$(mktemp -d)
  pages_status=0
  pages_run "$@" || pages_status=1
  pages_errors
  if grep -q '^stale ' "$pages_scratch/report"; then
    sed -n 's/^stale [0-9]* \(.*\)/\1: stale. Cure: .\/lab format/p' "$pages_scratch/report" >&2
    pages_status=1
  fi
  rm -rf "$pages_scratch"
  return $pages_status
}

pages_errors() {
  sed -n 's/^error /pages: /p' "$pages_scratch/report" >&2
}

# Every page is read with the facts of all lessons: its tables and its "next" lead to others.
pages_run() {
  pages_extras="$(printf '%s ' 0[1-6]-*/[0-9][0-9]-*/*.expected.txt)"
  [ $# -gt 0 ] || {
    # shellcheck disable=SC2046 # paths of ours, without blanks
    set -- $(pages)
  }
  # shellcheck disable=SC2046 # the same
  LC_ALL=C awk -v out="$pages_scratch" -v headers="$(printf '%s ' 0[1-6]-*/lib/*.hpp)" \
    -v programs="$pages_extras" -f .scripts/facts.awk -f .scripts/pages.awk \
    $(lesson_facts) "$@" >"$pages_scratch/report"
}

pages() {
  for page in docs/lessons.md 0[1-6]-*/README.md 0[1-6]-*/[0-9][0-9]-*/README.md; do
    [ ! -f "$page" ] || echo "$page"
  done
}

lesson_facts() {
  for facts in 0[1-6]-*/[0-9][0-9]-*/facts.txt; do
    [ ! -f "$facts" ] || echo "$facts"
  done
}

# pages_of_lessons [--check] [LESSON...]: fills or checks all pages, or those of these lessons.
pages_of_lessons() {
  pages_verb=pages_fill
  pages_wanted=
  for word in "$@"; do
    case $word in
      --check) pages_verb=pages_check ;;
      -*) die "format pages has no flag $word. Its help: ./lab format --help" ;;
      *)
        page=$(lesson_find "$word") || exit 1
        pages_wanted="$pages_wanted $page/README.md"
        ;;
    esac
  done
  # shellcheck disable=SC2086 # paths of ours, without blanks
  $pages_verb $pages_wanted
}
