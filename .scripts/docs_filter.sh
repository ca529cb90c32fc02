#!/bin/sh
# docs_filter.sh PAGE.md: what Doxygen reads in place of the page. A link to a heading of another
# page works on the web host of the repository and not in Doxygen, which wants an id: the terms of
# the glossary get one, and other links lead to the page.
awk -v is_glossary="$(case $1 in */glossary.md) echo 1 ;; esac)" '
is_glossary && /^### / {
  id = tolower(substr($0, 5))
  gsub(/[ -]/, "_", id)
  $0 = $0 " {#glossary_" id "}"
}
{
  out = ""
  while (match($0, /\]\([^()#]*\.md#[^()]*\)/)) {
    page = anchor = substr($0, RSTART + 2, RLENGTH - 3)
    out = out substr($0, 1, RSTART - 1)
    $0 = substr($0, RSTART + RLENGTH)
    sub(/#.*/, "", page)
    sub(/.*#/, "", anchor)
    gsub(/-/, "_", anchor)
    out = out (page ~ /glossary\.md$/ ? "](@ref glossary_" anchor ")" : "](" page ")")
  }
  print out $0
}' "$1"
