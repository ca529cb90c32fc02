# Fails unless each definition that from-epoll.md shows stands so in one of the steps.
# awk -f page.awk step*.cpp from-epoll.md
FNR == 1 { page = FILENAME ~ /\.md$/ }
!page { source = source $0 "\n"; next }
/^```cpp$/ { inside = 1; block = "\n"; next }
/^```$/ && inside {
  inside = 0
  ++blocks
  # One definition after the other; between them the source may have others.
  many = split(block, part, /\n}\n\n/)
  for (i = 1; i <= many; ++i) {
    if (index(source, part[i]) > 0) continue
    print FILENAME ":" FNR ": not in the steps:\n" part[i]
    bad = 1
  }
  next
}
inside { block = block $0 "\n" }
END {
  if (blocks < 6) { print "only " blocks " pieces of code were found"; bad = 1 }
  if (!bad) print "OK"
  exit bad
}
