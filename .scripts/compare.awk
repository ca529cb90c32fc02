# Compares what a lesson printed (second file) with what it should print (first file); kernel=6.18.
# What is expected, a line each:
#   text             exactly this
#   ~ regex          a line that the regular expression matches as a whole
#   ...              any number of lines
#   [6.4+] line      only from this kernel on (line: one of the above)
#   [-6.4] line      only before it
# Printed lines that begin with "# " are figures, which differ each time: they are not compared.

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
  wanted[++wanted_count] = line
  next
}

!/^# / { got[++got_count] = $0 }

function fits(want, have) {
  if (substr(want, 1, 2) == "~ ") return have ~ ("^(" substr(want, 3) ")$")
  return want == have
}

END {
  at = 1
  gap = 0
  for (want = 1; want <= wanted_count; ++want) {
    if (wanted[want] == "...") { gap = 1; continue }
    while (gap && at <= got_count && !fits(wanted[want], got[at])) ++at
    if (at > got_count || !fits(wanted[want], got[at])) {
      print "expected: " wanted[want]
      print "printed:  " (at > got_count ? "(nothing more)" : got[at])
      exit 1
    }
    gap = 0
    ++at
  }
  if (at <= got_count && !gap) {
    print "expected: (nothing more)"
    print "printed:  " got[at]
    exit 1
  }
}
