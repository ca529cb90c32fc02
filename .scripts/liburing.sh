# A private liburing in build/deps, where the system's is older than needed. Sourced by setup.sh.
# From a newer suite of the system's own Debian archive, verified by apt; else from upstream.

# Upstream's 2.9 in its two shapes. The first checksum is that of the archive in Debian's signed
# source package 2.9-1; the second is the same tree packed by git under the other leading folder.
LIBURING_UPSTREAM="
https://brick.kernel.dk/snaps/liburing-2.9.tar.gz
57e9b36e4ac1e46b8e0351dfb1694dc59638fc25e384b4ba36d87b800b16db1a
https://github.com/axboe/liburing/archive/refs/tags/liburing-2.9.tar.gz
897b1153b55543e8b92a5a3eb9b906537a5fedcf8afaf241f8b8787940c79f8d
"

liburing_build() {
  scratch=$LAB_ROOT/build/deps/scratch
  rm -rf "$scratch"
  mkdir -p "$scratch"
  liburing_from_debian || liburing_from_upstream ||
    die "no way to liburing $LIBURING_MINIMUM. By hand: build it with --prefix=$LAB_ROOT/build/deps"
  liburing_compile
  rm -rf "$scratch"
}

# Leaves the unpacked tree in $scratch/source, or fails.
liburing_from_debian() {
  [ "$(os_release ID)" = debian ] || return 1
  # apt itself says where this release comes from, in whichever format its sources are written.
  release=$(os_release VERSION_CODENAME)
  archive=$(liburing_apt_system --print-uris update 2>/dev/null |
    sed -n "s|^'\(.*\)/dists/$release/InRelease'.*|\1|p" | head -n 1)
  [ -n "$archive" ] || return 1
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [ -r "$keyring" ] && signed="[signed-by=$keyring]" || signed=
  # From the lowest release that may suffice upwards.
  for suite in trixie forky sid; do
    note "liburing: asking Debian's $suite (apt with a state of its own under build/)"
    echo "deb-src $signed $archive $suite main" >"$scratch/sources.list"
    liburing_apt_private -q update >&2 || continue
    version=$(liburing_apt_private showsrc --only-source liburing |
      sed -n 's/^Version: //p' | sort -V | tail -n 1)
    version_at_least "${version:-0}" "$LIBURING_MINIMUM" || continue
    note "liburing: source package $version"
    (cd "$scratch" && liburing_apt_private -qq source --download-only "liburing=$version") >&2 ||
      continue
    liburing_unpack "$scratch"/liburing_*.orig.tar.* && return 0
  done
  return 1
}

# The system's configuration, but lists and locks of our own: works for any user.
liburing_apt_system() {
  mkdir -p "$scratch/lists/partial"
  apt-get -o "Dir::State::Lists=$scratch/lists" "$@"
}

# The same with our own source list alone. showsrc is apt-cache's.
liburing_apt_private() {
  mkdir -p "$scratch/state/lists/partial" "$scratch/cache/archives/partial"
  program=apt-get
  for word in "$@"; do
    [ "$word" != showsrc ] || program=apt-cache
  done
  # apt's sandbox user could not enter a checkout in a home folder; the signature check is the same.
  "$program" -o "Dir::State=$scratch/state" -o "Dir::Cache=$scratch/cache" \
    -o "Dir::Etc::SourceList=$scratch/sources.list" -o Dir::Etc::SourceParts=- \
    -o APT::Sandbox::User="$(id -un)" "$@"
}

liburing_from_upstream() {
  if ! command -v curl >/dev/null && ! command -v wget >/dev/null; then
    install_packages curl ca-certificates
  fi
  # shellcheck disable=SC2086 # pairs of words
  set -- $LIBURING_UPSTREAM
  while [ $# -gt 1 ]; do
    note "liburing: fetching $1"
    if liburing_fetch "$1" "$scratch/upstream.tar.gz"; then
      if echo "$2  $scratch/upstream.tar.gz" | sha256sum --check --status; then
        liburing_unpack "$scratch/upstream.tar.gz" && return 0
      fi
      note "liburing: the checksum of $1 is not the pinned one; not used"
    fi
    shift 2
  done
  return 1
}

liburing_fetch() {
  if command -v curl >/dev/null; then
    curl --fail --location --silent --show-error --max-time 60 --output "$2" "$1"
  else
    wget --quiet --timeout=60 --tries=1 --output-document="$2" "$1"
  fi
}

liburing_unpack() {
  mkdir -p "$scratch/source"
  tar -xf "$1" -C "$scratch/source" --strip-components=1
}

# Upstream's own configure; of its products the static library and the headers.
liburing_compile() {
  note "liburing: building the static library into build/deps"
  (
    cd "$scratch/source"
    ./configure --prefix="$LAB_ROOT/build/deps"
    make -C src liburing.a
  ) >"$scratch/build.log" 2>&1 || {
    tail -n 20 "$scratch/build.log" >&2
    die "liburing did not build; the whole log: $scratch/build.log"
  }
  mkdir -p build/deps/lib build/deps/include
  # The version header goes last: whoever finds it finds the rest.
  cp "$scratch/source/src/liburing.a" build/deps/lib/
  cp -r "$scratch/source/src/include/liburing.h" build/deps/include/
  mkdir -p build/deps/include/liburing
  for header in "$scratch"/source/src/include/liburing/*.h; do
    case $header in */io_uring_version.h) ;; *) cp "$header" build/deps/include/liburing/ ;; esac
  done
  cp "$scratch/source/src/include/liburing/io_uring_version.h" build/deps/include/liburing/
}
