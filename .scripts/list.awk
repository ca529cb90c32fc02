# ./lab list. Between facts.awk and way.awk, which fills done[]: `here` is this kernel, `chapters`
# lines of "folder<TAB>title".

function mark(folder, one) { return has_mark(folder, one) ? one : " " }

END {
  many = split(chapters, chapter, "\n")
  for (c = 1; c <= many; ++c) {
    split(chapter[c], name, "\t")
    title = name[2]
    sub("^" name[1] ": *", "", title)
    print (c > 1 ? "\n" : "") name[1] (title == "" ? "" : "   " title)
    count = 0
    for (i = 1; i <= lessons; ++i) {
      folder = lesson[i]
      if (index(folder, name[1] "/") != 1) continue
      ++count
      ++total
      print_lesson(folder)
    }
    if (name[1] == "06-server") print "  (to run what they lead to: ./lab serve)"
    else if (!count) print "  (no lessons yet)"
  }
  print "\n● the road to the capstone  ★ becomes part of a component  ⚠ holds a broken program"
  if (total) {
    printf "On this kernel (%s) %d of %d lessons run; %d done. Go on with: ./lab next\n",
      short(here), total - too_old, total, finished
  }
}

function short(release,    part) {
  split(release, part, /[.-]/)
  return part[1] "." part[2]
}

function print_lesson(folder,    state, kernel) {
  kernel = fact[folder, "kernel"]
  state = ""
  if (("ran " folder) in done) state = "done"
  if (("solved " folder) in done) state = "solved"
  if (("skipped " folder) in done && state == "") state = "skipped"
  if (state ~ /^(done|solved)$/) ++finished
  if (version(here) < version(kernel)) { state = "too new"; ++too_old }
  printf "  %-26s %s%s%s %3d min  Linux %-5s %-8s%s\n", target_of(folder), mark(folder, "●"),
    mark(folder, "★"), mark(folder, "⚠"), fact[folder, "minutes"], kernel, state,
    fact[folder, "title"]
}

function target_of(folder) { return number_of(folder, "-") substr(folder, index(folder, "/") + 3) }
