# Compares what a lesson printed (second file) with what it should print (first file); kernel=6.18.
# What is expected, a line each:
#   text             exactly this
#   ~ regex          a line that the regular expression matches as a whole
#   ...              any number of lines
#   [6.4+] line      only from this kernel on (line: one of the above)
#   [-6.4] line      only before it
#   [quiet] line     on a busy machine what follows its last ": " may differ
# Printed lines that begin with "# " are figures, which differ each time: they are not compared.
# Nor is what noise may hide (lab::effect): a printed answer of "not seen now" fits, and another one
# where the file says [quiet]. Then it ends with 77 and prints the reason, and all else has to fit.
# What skips for another reason, with "SKIP: ..." as its last line, is not compared at all.

function version(text, part) {
  split(text, part, /[.-]/)
  return part[1] * 1000 + part[2]
}

FNR == NR {
  line = $0
  if (match(line, /^\[-?[0-9]+\.[0-9]+\+?\] /)) {
    mark = substr(line, 2, RLENGTH - 3)
    line = substr(line, RLENGTH + 1)
    here = version(kernel)
    if (mark ~ /\+$/ && here < version(mark)) next
    if (mark ~ /^-/ && here >= version(substr(mark, 2))) next
  }
  quiet[++wanted_count] = sub(/^\[quiet\] /, "", line)
  wanted[wanted_count] = line
  next
}

!/^# / {
  got[++got_count] = $0
  if (/: not seen now$/) unseen = 1
}

# A line without its answer.
function claim(line) {
  return match(line, /.*: /) ? substr(line, 1, RLENGTH) : line "\n"
}

# 1: as expected. 2: but for an answer that noise may change. 0: not.
function fits(place, have, want) {
  want = wanted[place]
  if (want == have || substr(want, 1, 2) == "~ " && have ~ ("^(" substr(want, 3) ")$")) return 1
  if (!quiet[place] && have !~ /: not seen now$/) return 0
  return claim(want) == claim(have) ? 2 : 0
}

function skip(reason) {
  print reason
  exit 77
}

END {
  if (!unseen && got[got_count] ~ /^SKIP: /) skip(got[got_count])
  at = 1
  gap = 0
  for (want = 1; want <= wanted_count; ++want) {
    if (wanted[want] == "...") { gap = 1; continue }
    while (gap && at <= got_count && !fits(want, got[at]) && got[at] !~ /^SKIP: /) ++at
    if (got[at] ~ /^SKIP: / && !fits(want, got[at])) skip(got[at])
    if (at > got_count || !fits(want, got[at])) {
      print "expected: " wanted[want]
      print "printed:  " (at > got_count ? "(nothing more)" : got[at])
      exit 1
    }
    if (fits(want, got[at]) == 2) other = got[at]
    gap = 0
    ++at
  }
  if (at <= got_count && !gap) {
    print "expected: (nothing more)"
    print "printed:  " got[at]
    exit 1
  }
  if (other != "") skip("SKIP: a busy machine hid the effect, it printed \"" other "\"")
}
