# Configure and build. Sourced by lab and test.sh. It speaks on stderr: stdout is the program's.

# build PRESET TARGET...: builds the targets, configuring first where that is due.
build() {
  preset=$1
  shift
  configure "$preset"
  # Asked first, so that a run with nothing to do prints nothing.
  if ninja -C "build/$preset" -n "$@" 2>/dev/null | grep -q 'no work to do'; then
    return
  fi
  note "build: $* ($preset)"
  cmake --build "build/$preset" --target "$@" >&2 || die "the build failed (see above)"
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
