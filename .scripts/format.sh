# ./lab format: clang-format over the C++ sources, then the pages. Sourced by lab and test.sh.

# Debian 12's. Release 19 breaks requires clauses and spaces member pointers differently (tried), so
# with another release the check is skipped and ./lab format says what to expect.
FORMAT_MAJOR=14

cpp_sources() {
  find 0[1-6]-* docs tests \( -name '*.cpp' -o -name '*.hpp' \) ! -name mine.cpp | LC_ALL=C sort
}

clang_format() {
  if command -v clang-format-$FORMAT_MAJOR >/dev/null; then
    echo clang-format-$FORMAT_MAJOR
  else
    echo clang-format
  fi
}

# format_all [--check]: sources, pages and, where it has a renderer, pictures.
format_all() {
  case ${1:-} in
    '' | --check) ;;
    *) die "format has no \"$1\".$(did_you_mean "$1" "--check pages") Help: ./lab format --help" ;;
  esac
  format_status=0
  format_sources "$@" || format_status=1
  if [ "${1:-}" = --check ]; then
    pages_check || format_status=1
  else
    pages_fill || format_status=1
  fi
  pictures_build "$@" || format_status=1
  return $format_status
}

# format_sources [--check]
format_sources() {
  unfit=$(format_check_unfit)
  [ -z "$unfit" ] || note "format: $unfit"
  case ${1:-} in
    '') cpp_sources | xargs "$(clang_format)" -i ;;
    --check) cpp_sources | xargs "$(clang_format)" --dry-run -Werror ;;
  esac
}

# Prints why this clang-format cannot judge, or nothing.
format_check_unfit() {
  major=$("$(clang_format)" --version 2>/dev/null | sed -n 's/.*version \([0-9]*\).*/\1/p')
  if [ -z "$major" ]; then
    echo "no clang-format here"
  elif [ "$major" != $FORMAT_MAJOR ]; then
    echo "clang-format $major formats a few things differently from $FORMAT_MAJOR, the lab's"
  fi
}
