#!/bin/sh
# image_root.sh ROOT PROGRAM...: puts the programs into ROOT/usr/bin, and the libraries that the
# loader finds for them where it finds them. What the Containerfile makes its image of.
set -eu

root=$1
shift
mkdir -p "$root/usr/bin" "$root/srv/site"
for program in "$@"; do
  install -m 755 "$program" "$root/usr/bin/"
  # "libz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x...)", and the loader itself without an arrow.
  libraries=$(ldd "$program") || exit 1
  case $libraries in
    *"not found"*)
      echo "$program: a library is missing: $libraries" >&2
      exit 1
      ;;
  esac
  printf '%s\n' "$libraries" | sed -n 's|^[^/]*\(/[^ ]*\) (0x.*|\1|p' | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
  done
done
echo "<p>It works. Your site goes to /srv/site.</p>" >"$root/srv/site/index.html"
