# One line per result of a ctest JUnit file: "passed NAME", "failed NAME" or "skipped NAME: reason".
# A GoogleTest program that passes may hold skipped tests, and a run of the conformance client cases
# without a verdict; each is a result of its own.
function plain(text) {
  gsub(/&lt;/, "<", text); gsub(/&gt;/, ">", text); gsub(/&quot;/, "\"", text)
  gsub(/&apos;/, "'", text); gsub(/&#xA;/, "", text); gsub(/&amp;/, "\\&", text)
  return text
}
function attribute(line, name) {
  if (!match(line, " " name "=\"[^\"]*\"")) return ""
  return substr(line, RSTART + length(name) + 3, RLENGTH - length(name) - 4)
}
function skipped(why) {
  print "skipped " name ": " (why == "" ? "no reason given" : why)
}
/<testcase / {
  name = plain(attribute($0, "name")) " (" preset ")"
  status = attribute($0, "status")
  reason = ""; inner = 0; expect = 0; missing = 0; none_passed = 0
}
/<skipped / {
  message = plain(attribute($0, "message"))
  if (message != "") missing = message !~ /^SKIP_/
}
{
  text = plain($0)
  sub(/<\/system-out>.*/, "", text)
  sub(/.*<system-out>/, "", text)
  if (text ~ /^\[  PASSED  \] 0 tests/) none_passed = 1
  if (expect) { inner_reason[++inner] = text; expect = 0 }
  else if (text ~ /: Skipped$/) expect = 1
  # A case of the conformance client that no busy machine can judge.
  else if (match(text, /no verdict: /)) inner_reason[++inner] = substr(text, RSTART)
  else if (match(text, /SKIP: /) && reason == "") reason = substr(text, RSTART + 6)
}
/<\/testcase>/ {
  if (status == "run") {
    if (!inner || !none_passed) print "passed " name
    for (i = 1; i <= inner; i++) skipped(inner_reason[i])
  } else if (status == "notrun" && !missing || status == "disabled") {
    if (reason == "" && inner) reason = inner_reason[1]
    skipped(reason)
  } else {
    print "failed " name (missing ? ": " message : "")
  }
}
