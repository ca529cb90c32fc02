# The Doxygen site. Sourced by lab and by test.sh.

# docs_build FOLDER [LINE...]: builds into FOLDER/html; a LINE overrides one of docs/Doxyfile.
# Does nothing when it is newer than everything it is made from.
docs_build() {
  folder=$1
  shift
  made=$folder/html/index.html
  if [ -f "$made" ] && [ -z "$(find docs README.md 0[1-6]-* -newer "$made" | head -n 1)" ]; then
    return 0
  fi
  note "docs: running doxygen"
  rm -rf "$folder/html"
  mkdir -p "$folder"
  { cat docs/Doxyfile && printf '%s\n' "OUTPUT_DIRECTORY = $folder" "$@"; } |
    doxygen - >"$folder/doxygen.log" 2>&1 || {
    cat "$folder/doxygen.log" >&2
    # A site built with warnings must not count as up to date.
    rm -f "$made"
    return 1
  }
}
