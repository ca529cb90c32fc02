# The pages' regions, filled from the lessons' files: see pages.py. Sourced by lab and test.sh.

# pages_fill [PAGE...]: fills all pages, or these. Says what it changed; 1 when a page has an error.
pages_fill() { pages_run fill "$@"; }

# pages_check: each stale region, as file:line, and the cure. 1 when there is one, or an error.
pages_check() { pages_run check "$@"; }

pages_run() {
  command -v python3 >/dev/null || {
    note "pages: python3 is missing. Cure: ./lab setup format"
    return 1
  }
  python3 -B .scripts/pages.py "$@"
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
