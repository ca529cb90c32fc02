# Reads lessons' facts.txt files; put before another program: awk -f facts.awk -f other.awk FACTS...
#   lesson[1 .. lessons]   folders in the order of the files, 03-network/07-multishot-recv
#   fact[folder, key]      the value of a line "key: value"

FILENAME ~ /\/facts\.txt$/ {
  if (FNR == 1) {
    folder = FILENAME
    sub(/^\.\//, "", folder)
    sub(/\/facts\.txt$/, "", folder)
    lesson[++lessons] = folder
    place_of[folder] = lessons
  }
  if (at = index($0, ":")) {
    value = substr($0, at + 1)
    gsub(/^[ \t]+|[ \t]+$/, "", value)
    fact[folder, substr($0, 1, at - 1)] = value
  }
  next
}

function has_mark(folder, mark) { return index(fact[folder, "marks"], mark) > 0 }

# 03-network/07-multishot-recv: 03/07 for a command, 03-07 for a heading.
function number_of(folder, separator) {
  return substr(folder, 1, 2) separator substr(folder, index(folder, "/") + 1, 2)
}

# A kernel or liburing number that sorts: 6.12 after 6.4.
function version(text,    part) {
  split(text, part, /[.-]/)
  return part[1] * 1000 + part[2]
}

# The program is named as the folder: 07-multishot-recv/multishot_recv.cpp.
function program_of(folder,    name) {
  name = folder
  sub(/.*\/[0-9][0-9]-/, "", name)
  gsub(/-/, "_", name)
  return name
}
