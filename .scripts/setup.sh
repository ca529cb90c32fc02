# Setup: the packages of a set, and liburing. Sourced by lab and test.sh.
# The system is asked each time what is there (milliseconds): nothing remembered can be wrong.

LIBURING_MINIMUM=2.9
SETS="run lessons test bench ringio box docs format all"

# What each set needs, liburing apart.
packages_of() {
  case $1 in
    run)
      echo g++ cmake ninja-build libcli11-dev libfmt-dev
      echo zlib1g-dev libbrotli-dev libzstd-dev libxxhash-dev libssl-dev libuv1-dev
      ;;
    lessons) packages_of run && echo patch ;;
    test)
      packages_of lessons && packages_of format
      echo gnuplot-nox libgtest-dev shellcheck doxygen
      ;;
    bench) packages_of run && echo gnuplot-nox ;;
    ringio) packages_of bench && echo fio ;;
    box) packages_of run && echo qemu-system-x86 busybox-static xz-utils ;;
    docs) echo doxygen graphviz python3 && docs_look ;;
    format) echo clang-format python3 ;;
    all) for one in test ringio box docs; do packages_of "$one"; done ;;
    *) return 1 ;;
  esac
}

# The site's look, where the distribution packages it; elsewhere the site has its own.
docs_look() {
  [ -d /usr/share/doxygen-awesome-css ] ||
    apt-cache policy doxygen-awesome-css 2>/dev/null | grep -q 'Candidate: [0-9]' || return 0
  echo doxygen-awesome-css
}

# The same as commands, for systems whose packages have other names; CMake names a missing library.
tools_of() {
  case $1 in
    docs) echo doxygen python3 ;;
    format) echo clang-format python3 ;;
    lessons) echo c++ cmake ninja patch ;;
    test) echo c++ cmake ninja patch python3 ;;
    *) echo c++ cmake ninja ;;
  esac
}

set_has_liburing() {
  case $1 in docs | format) return 1 ;; *) return 0 ;; esac
}

# need SET: every verb's first line. Silent and quick when nothing is missing.
need() {
  set_is_ready "$1" || setup "$1"
}

set_is_ready() {
  if distribution_is_supported; then
    [ -z "$(missing_packages "$1")" ] || return 1
  else
    for tool in $(tools_of "$1"); do
      command -v "$tool" >/dev/null || return 1
    done
  fi
  ! set_has_liburing "$1" || liburing_is_ready
}

missing_packages() {
  wanted=$(packages_of "$1" | tr ' ' '\n' | sort -u)
  # shellcheck disable=SC2086 # a list of names
  have=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' $wanted 2>/dev/null |
    awk '$1 == "ii" { print $2 }')
  for package in $wanted; do
    printf '%s\n' "$have" | grep -qxF "$package" || printf '%s ' "$package"
  done
}

# setup [--yes] [SET]...
setup() {
  yes=${LAB_YES:-}
  sets=
  for word in "$@"; do
    case $word in
      -y | --yes) yes=1 ;;
      -*) die "setup has no flag $word. Its help: ./lab setup --help" ;;
      *)
        packages_of "$word" >/dev/null ||
          die "no set \"$word\".$(did_you_mean "$word" "$SETS") Sets: $SETS"
        sets="$sets $word"
        ;;
    esac
  done
  for one in ${sets:-run}; do
    setup_set "$one"
  done
}

setup_set() {
  if set_is_ready "$1"; then
    note "setup $1: nothing to do"
    return
  fi
  distribution_check "$1"
  packages=$(missing_packages "$1")
  if set_has_liburing "$1" && ! liburing_is_ready; then
    if version_at_least "$(liburing_candidate)" $LIBURING_MINIMUM; then
      packages="$packages liburing-dev"
    else
      note "setup $1: the distribution's liburing is older than $LIBURING_MINIMUM:" \
        "one will be built in build/deps, the system keeps its own"
      command -v make >/dev/null || packages="$packages make"
    fi
  fi
  # shellcheck disable=SC2086 # a list of names
  install_packages $packages
  if set_has_liburing "$1" && ! liburing_is_ready; then
    . .scripts/liburing.sh
    lock deps
    liburing_is_ready || liburing_build
    unlock
  fi
  set_is_ready "$1" || die "setup $1: still missing: $(missing_packages "$1")"
  note "setup $1: done"
}

# Root goes on, a user on a terminal is asked, anything else is told the command.
install_packages() {
  [ $# -gt 0 ] || return 0
  note "setup: will install: $*"
  apt_install="apt-get install --yes --no-install-recommends $*"
  by_hand="sudo apt-get update && sudo $apt_install"
  if [ "$(id -u)" = 0 ]; then
    as_root=
  elif [ -t 0 ] && [ -t 2 ]; then
    [ -n "$yes" ] || ask_once
    as_root=sudo
  elif [ -n "$yes" ]; then
    as_root='sudo -n'
  else
    note "setup: not root, and no terminal to ask on. Run this, or say --yes (LAB_YES=1):"
    note "  $by_hand"
    exit 1
  fi
  [ -z "$as_root" ] || command -v sudo >/dev/null ||
    die "there is no sudo here. As root: apt-get update && $apt_install"
  $as_root apt-get update -q >&2 || die "apt-get update failed (see above)"
  # shellcheck disable=SC2086 # both are lists of words
  $as_root env DEBIAN_FRONTEND=noninteractive $apt_install >&2 ||
    die "apt-get install failed (see above)"
}

ask_once() {
  printf 'setup: go on, with sudo? [Y/n] ' >&2
  read -r answer || answer=n
  case $answer in
    '' | [Yy]*) yes=1 ;;
    *) die "nothing was installed. By hand: $by_hand" ;;
  esac
}

# ---- the distribution

# LAB_OS_RELEASE puts another system's file in its place, for tests.
os_release() {
  sed -n "s/^$1=//p" "${LAB_OS_RELEASE:-/etc/os-release}" 2>/dev/null | tr -d '"'
}

distribution_is_supported() {
  case $(os_release ID) in
    debian) minimum=12 ;;
    ubuntu) minimum=24.04 ;;
    *) return 1 ;;
  esac
  # Debian testing and unstable have no VERSION_ID: newer than any release.
  version_at_least "$(os_release VERSION_ID | grep . || echo 999)" "$minimum"
}

distribution_check() {
  ! distribution_is_supported || return 0
  name=$(os_release PRETTY_NAME | grep . || echo "this system")
  case $(os_release ID) in
    debian | ubuntu) why="is too old" ;;
    *) why="is not one that setup knows" ;;
  esac
  note "setup: $name $why: setup works on Debian 12, Ubuntu 24.04 and newer."
  note "Needed, by Debian's names:" \
    "$(packages_of "$1" | xargs)$(! set_has_liburing "$1" || echo " liburing-dev")"
  note "That is: g++ 12 or clang 16, CMake 3.25, Ninja, CLI11, {fmt} 9, zlib," \
    "libbrotlienc and libbrotlidec, libzstd, xxhash 0.8, OpenSSL 3.0," \
    "and liburing $LIBURING_MINIMUM with its static library, or newer."
  die "nothing was installed."
}

# version_at_least A B: A >= B, by dotted numbers.
version_at_least() {
  [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]
}

# ---- liburing

# A static library and its header, together: CMake looks in the same places, build/deps first.
liburing_is_ready() {
  if [ -f build/deps/lib/liburing.a ]; then
    ! liburing_header_suffices build/deps/include || return 0
  fi
  for library in /usr/lib/liburing.a /usr/lib64/liburing.a /usr/lib/*/liburing.a; do
    [ ! -f "$library" ] || ! liburing_header_suffices /usr/include || return 0
  done
  [ -f /usr/local/lib/liburing.a ] && liburing_header_suffices /usr/local/include
}

liburing_header_suffices() {
  header=$1/liburing/io_uring_version.h
  [ -f "$header" ] &&
    version_at_least "$(awk '/_MAJOR/ { a = $3 } /_MINOR/ { b = $3 } END { print a "." b }' \
      "$header")" $LIBURING_MINIMUM
}

# The version that the distribution would install: from apt's lists, else as its releases are known.
liburing_candidate() {
  candidate=$(apt-cache policy liburing-dev 2>/dev/null |
    awk '/Candidate:/ && $2 != "(none)" { print $2 }')
  case $(os_release ID)$(os_release VERSION_ID) in
    debian12) known=2.3 ;;
    ubuntu24.04) known=2.5 ;;
    *) known=$LIBURING_MINIMUM ;;
  esac
  echo "${candidate:-$known}"
}
