# Configure and build. Sourced by lab and test.sh. It speaks on stderr: stdout is the program's.

# build PRESET TARGET...: builds the targets, configuring first where that is due.
build() {
  preset=$1
  shift
  configure "$preset"
  failed=build/$preset/failed
  rm -f "$failed"
  # A run with nothing to do prints nothing: the first line about a step brings the headline.
  { cmake --build "build/$preset" --target "$@" 2>&1 || : >"$failed"; } |
    awk -v headline="build: $* ($preset)" '
      /^ninja: |Re-checking globbed directories/ && !begun { next }
      { if (!begun++) print headline; print; fflush() }' >&2
  [ ! -f "$failed" ] || die "the build failed (see above)"
}

# build_quietly PRESET TARGET [WORDS]: the compiler speaks only when it fails (WORDS: how that
# is told), and a line says what is going on when it takes longer than 2 seconds. The warnings of a
# learner's own file (-mine) are shown.
build_quietly() {
  configure "$1"
  log=build/$1/lesson-build.log
  # Its sleep outlives it for a moment, so that must hold none of our streams.
  (
    sleep 2 >/dev/null 2>&1
    note "build: $2 ($1)"
  ) &
  clock=$!
  built=1
  cmake --build "build/$1" --target "$2" >"$log" 2>&1 </dev/null || built=
  kill $clock 2>/dev/null || true
  wait $clock 2>/dev/null || true
  if [ -z "$built" ]; then
    compiler_words "$log" >&2
    die "${3:-$2 did not build (see above)}"
  fi
  case $2 in
    *-mine) ! grep -q 'warning:' "$log" || compiler_words "$log" >&2 ;;
  esac
}

# A build's log without what Ninja and CMake say about themselves.
compiler_words() {
  sed '/^\[/d; /^-- /d; /^FAILED: /d; /^ninja: /d; / -c [^ ]*\.cpp$/d' "$1"
}

# Options that differ from the last time configure again; CMake itself sees changed CMakeLists.
configure() {
  options="-DLAB_TESTS=$(gtest_is_installed && echo ON || echo OFF)"
  # Only CI turns this on; without an opinion the cache keeps its value, so verbs can alternate.
  [ -z "${CI:-}" ] || options="$options -DLAB_WERROR=ON"
  used=build/$1/lab-options
  cache=build/$1/CMakeCache.txt
  fresh=
  # A checkout that moved (or is mounted elsewhere in a container) has a cache that CMake refuses.
  if [ -f "$cache" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$LAB_ROOT" "$cache"; then
    fresh=--fresh
  elif [ -f "build/$1/build.ninja" ] && [ -f "$used" ]; then
    case "$(cat "$used") " in *"$options "*) return ;; esac
  fi
  note "build: configuring $1"
  mkdir -p "build/$1"
  # shellcheck disable=SC2086 # lists of words
  cmake --preset "$1" $fresh $options >"build/$1/configure.log" 2>&1 || {
    cat "build/$1/configure.log" >&2
    die "CMake could not configure the $1 preset (see above)"
  }
  echo "$options" >"$used"
}

gtest_is_installed() {
  [ -f /usr/include/gtest/gtest.h ] || [ -f /usr/local/include/gtest/gtest.h ]
}
