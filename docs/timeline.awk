# Fails unless each lesson stands in docs/timeline.md, in a line of the kernel that its facts name.
# Not those of chapter 06: they put together what others teach.
# awk -f timeline.awk timeline.md 0*-*/*/facts.txt
FILENAME ~ /timeline\.md$/ && /^\| [5-9]\.[0-9]+ \|/ {
  split($0, cell, "|")
  gsub(/ /, "", cell[2])
  links = cell[4]
  while (match(links, /\.\.\/[^)]*\/README/)) {
    lesson = substr(links, RSTART + 3, RLENGTH - 10)
    stands[cell[2], lesson] = 1
    links = substr(links, RSTART + RLENGTH)
  }
}
FILENAME ~ /facts\.txt$/ && FILENAME !~ /06-server\// && /^kernel:/ {
  ++lessons
  many = split(FILENAME, part, "/")
  lesson = part[many - 2] "/" part[many - 1]
  if (($2, lesson) in stands) next
  print "docs/timeline.md: " lesson " says Linux " $2 ": it belongs into a line of that kernel"
  bad = 1
}
END {
  if (lessons == 0) { print "no lessons were given"; bad = 1 }
  if (!bad) print "OK"
  exit bad
}
