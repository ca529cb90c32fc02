# Configure and build. Sourced by lab and test.sh. It speaks on stderr: stdout is the program's.

# build PRESET TARGET...: builds the targets, configuring first where that is due.
build() {
  preset=$1
  shift
  # Two verbs that build in one folder would tear it from each other.
  lock "$preset"
  configure "$preset"
  build_aloud "$preset" "$@" || {
    mend "$preset" "$@" && build_aloud "$preset" "$@"
  } || die "the build failed (see above)$(cure_of "$preset")"
  unlock
}

build_aloud() (
  preset=$1
  shift
  log=build/$preset/build.log
  failed=build/$preset/failed
  rm -f "$failed"
  # A run with nothing to do prints nothing: the first line about a step brings the headline.
  { cmake --build "build/$preset" --target "$@" 2>&1 || : >"$failed"; } | tee "$log" |
    awk -v headline="build: $* ($preset)" '
      /^ninja: (no work|Entering)|Re-checking globbed directories/ && !begun { next }
      { if (!begun++) print headline; print; fflush() }' >&2
  [ ! -f "$failed" ]
)

# build_quietly PRESET TARGET [WORDS]: the compiler speaks only when it fails (WORDS: how that
# is told), and a line says what is going on when it takes longer than 2 seconds. The warnings of a
# learner's own file (-mine) are shown.
build_quietly() {
  lock "$1"
  configure "$1"
  log=build/$1/build.log
  # Its sleep outlives it for a moment, so that must hold none of our streams, nor the lock.
  (
    sleep 2 >/dev/null 2>&1 9>&-
    note "build: $2 ($1)"
  ) &
  clock=$!
  built=1
  build_into_log "$1" "$2" || {
    mend "$1" "$2" && build_into_log "$1" "$2"
  } || built=
  kill $clock 2>/dev/null || true
  wait $clock 2>/dev/null || true
  if [ -z "$built" ]; then
    compiler_words "$log" >&2
    die "${3:-$2 did not build (see above)}$(cure_of "$1")"
  fi
  case $2 in
    *-mine) ! grep -q 'warning:' "$log" || compiler_words "$log" >&2 ;;
  esac
  unlock
}

build_into_log() {
  cmake --build "build/$1" --target "$2" >"build/$1/build.log" 2>&1 </dev/null
}

# A build's log without what Ninja and CMake say of progress: never empty where something failed.
compiler_words() {
  sed '/^\[/d; /^-- /d; /^FAILED: [^ ]*\.o /d; /^ninja: build stopped/d; / -c [^ ]*\.cpp$/d' \
    "$1" |
    grep . || cat "$1"
}

# ---- a folder that a power cut, a full disk or a wrong clock left half made

# mend PRESET TARGET...: after a build that failed. True when the folder may have been at fault and
# is whole now, so that another try is worth it. A compiler's words are about a source, not this.
mend() (
  preset=$1
  shift
  if folder_is_broken "$preset"; then
    note "build: build/$preset is damaged: configuring it afresh"
    rm -f "build/$preset/build.ninja"
    configure "$preset"
  elif link_failed "$preset"; then
    # Ninja goes by dates, so a file that was cut short is as good as a whole one to it.
    note "build: the linker failed: once more, all that it reads built anew"
    ninja -C "build/$preset" -t clean "$@" >/dev/null
  else
    return 1
  fi
)

# Ninja or CMake gave up by themselves; or none of the commands that failed was a compiler.
folder_is_broken() {
  log=build/$1/build.log
  grep -q '^FAILED: build\.ninja' "$log" || ! grep -q '^FAILED: ' "$log"
}

link_failed() {
  grep -qE '^collect2: |linker command failed|/ar: |: file (truncated|format not recognized)' \
    "build/$1/build.log"
}

# After the second failure, where the folder may still be the reason.
cure_of() {
  if folder_is_broken "$1" || link_failed "$1"; then
    echo ". If no source is at fault, begin anew: rm -r build/$1"
  fi
}

# Ninja takes a source from the future for changed, for ever, and an output from there for new: what
# was edited since is not built. Such files are dated now, and such a folder is built again: before
# the build, for Ninja tries the first a hundred times, and neither looks like a failure. An output
# has a minute's grace: somebody's own `cmake --build` may be writing it at this moment.
leftovers_mend() {
  now=build/$1/now
  soon=build/$1/soon
  : >"$now"
  touch -d "@$(($(date +%s) + 60))" "$soon"
  # shellcheck disable=SC2046 # a list of names
  find $(sources_of_the_build) -type f -newer "$now" | while IFS= read -r file; do
    note "build: $file is dated in the future: dated now"
    touch "$file" || die "$file: Ninja builds nothing from the future. Cure: touch $file"
  done || exit 1
  outputs=
  for output in "build/$1/build.ninja" "build/$1/.ninja_log"; do
    [ ! -e "$output" ] || outputs="$outputs$(find "$output" -newer "$soon")"
  done
  if [ -n "$outputs" ]; then
    note "build: build/$1 was made in the future, by its dates: built again"
    rm -rf "build/$1"
    mkdir -p "build/$1"
  fi
  # An empty program would run, print nothing and end well.
  [ ! -d "build/$1/bin" ] || find "build/$1/bin" -type f -size 0 -exec rm -f {} +
}

sources_of_the_build() {
  for name in CMakeLists.txt CMakePresets.json .cmake 0[1-6]-* docs tests; do
    [ ! -e "$name" ] || echo "$name"
  done
}

# Options that differ from the last time configure again; CMake itself sees changed CMakeLists.
configure() {
  options="-DLAB_TESTS=$(gtest_is_installed && echo ON || echo OFF)"
  # Only CI turns this on; without an opinion the cache keeps its value, so verbs can alternate.
  [ -z "${CI:-}" ] || options="$options -DLAB_WERROR=ON"
  used=build/$1/lab-options
  cache=build/$1/CMakeCache.txt
  fresh=
  mkdir -p "build/$1"
  leftovers_mend "$1"
  # A checkout that moved (or is mounted elsewhere in a container) has a cache that CMake refuses.
  if [ -f "$cache" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$LAB_ROOT" "$cache"; then
    fresh=--fresh
  elif [ -f "$cache" ] && [ -f "build/$1/build.ninja" ] && [ -f "$used" ]; then
    case "$(cat "$used") " in *"$options "*) return ;; esac
  elif [ -f "$used" ]; then
    # It was configured once and is not whole any more.
    fresh=--fresh
  fi
  note "build: configuring $1"
  # shellcheck disable=SC2086 # lists of words
  cmake --preset "$1" $fresh $options >"build/$1/configure.log" 2>&1 || {
    cat "build/$1/configure.log" >&2
    die "CMake could not configure the $1 preset (see above)." \
      "If no source is at fault: rm -r build/$1"
  }
  echo "$options" >"$used"
}

gtest_is_installed() {
  [ -f /usr/include/gtest/gtest.h ] || [ -f /usr/local/include/gtest/gtest.h ]
}
