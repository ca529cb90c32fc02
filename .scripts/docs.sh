# The Doxygen site. Sourced by lab and by test.sh. What is not Doxygen's own is in site_pages.py.

# The look, where the distribution packages it. Elsewhere Doxygen's own with docs/site/plain.css.
AWESOME=/usr/share/doxygen-awesome-css/doxygen-awesome.css

# docs_build FOLDER [LINE...]: builds into FOLDER/html; a LINE overrides one of docs/Doxyfile.
# Does nothing when it is newer than everything it is made from.
docs_build() {
  folder=$1
  shift
  made=$folder/html/index.html
  if [ -f "$made" ] &&
    [ -z "$(find docs README.md 0[1-6]-* .scripts/site_pages.py -newer "$made" | head -n 1)" ]; then
    return 0
  fi
  note "docs: running doxygen"
  rm -rf "$folder/html" "$folder/xml"
  mkdir -p "$folder"
  python3 -B .scripts/site_pages.py pages "$folder"
  docs_header "$folder"
  docs_doxyfile "$folder" "$@" | doxygen - >"$folder/doxygen.log" 2>&1 || {
    cat "$folder/doxygen.log" >&2
    # A site built with warnings must not count as up to date.
    rm -f "$made"
    return 1
  }
  python3 -B .scripts/site_pages.py finish "$folder"
}

docs_doxyfile() {
  folder=$1
  shift
  cat docs/Doxyfile
  look=docs/site/plain.css
  [ ! -f $AWESOME ] || look=$AWESOME
  printf '%s\n' "OUTPUT_DIRECTORY = $folder" "INPUT += $folder/pages" \
    "FILE_PATTERNS += *.markdown" "STRIP_FROM_PATH += $folder/pages" \
    "HTML_HEADER = $folder/header.html" \
    "HTML_EXTRA_STYLESHEET = $look docs/site/site.css"
  # Doxygen 1.9.5 brought its own dark colours, which doxygen-awesome does not expect.
  case $(doxygen --version) in
    1.9.[0-4] | 1.9.[0-4]\ *) ;;
    *) echo "HTML_COLORSTYLE = LIGHT" ;;
  esac
  printf '%s\n' "$@"
}

# The header of this Doxygen, with the width of a phone and the site's script.
docs_header() {
  (cd "$1" && doxygen -w html header.original.html footer.html default.css) >/dev/null
  {
    sed '/<\/head>/,$d; /name="viewport"/d' "$1/header.original.html"
    cat <<'EOF'
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<link rel="icon" href="data:,"/>
<script src="$relpath^site.js" defer></script>
EOF
    sed -n '/<\/head>/,$p' "$1/header.original.html"
  } >"$1/header.html"
}
