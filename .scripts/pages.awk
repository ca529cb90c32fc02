# Fills the regions of Markdown pages: what stands between a line "<!-- lab:NAME ... -->" and the
# line "<!-- lab:end -->" comes from the lessons' own files. Give facts.awk first, then all
# facts.txt, then the pages; `headers` lists every lib/*.hpp, `programs` every NAME.expected.txt. A
# page that changes is written to the file N in the folder `out`, and "stale N PAGE:LINE: REGION" is
# printed. What is wrong is printed as "error PAGE:LINE: ..." and leaves its page as it was.

BEGIN {
  many = split(programs, one, " ")
  for (i = 1; i <= many; ++i) {
    folder_of = file_of = one[i]
    sub(/\/[^\/]*$/, "", folder_of)
    sub(/.*\//, "", file_of)
    sub(/\.expected\.txt$/, "", file_of)
    extras[folder_of] = extras[folder_of] " " file_of
  }
}

FNR == 1 { page_end(); page_begin() }

/^<!-- lab:[a-z]/ && !/^<!-- lab:end -->$/ {
  region_unended()
  region = $0
  region_line = FNR
  add($0)
  words = $0
  if (!sub(/ *-->[ \t]*$/, "", words)) wrong("the region's line does not end with -->")
  sub(/^<!-- lab:/, "", words)
  split("", word)
  word_count = split(words, word, " ")
  fill(word[1], word[2])
  next
}

/^<!-- lab:end -->$/ {
  if (region == "") wrong("lab:end without a region", FNR)
  else if (old != substr(text, filled_from + 1)) stale = stale region_line ": " region "\n"
  region = ""
  add($0)
  next
}

region != "" { old = old $0 "\n"; next }
{ add($0) }

END {
  page_end()
  exit errors > 0
}

# ---- pages

function page_begin() {
  page = FILENAME
  sub(/^\.\//, "", page)
  home = page
  if (!sub(/\/[^\/]*$/, "", home)) home = "."
  text = old = stale = region = ""
  page_errors = 0
}

function page_end(    lines, i) {
  region_unended()
  if (page == "" || page_errors || stale == "") return
  ++changed
  printf "%s", text > (out "/" changed)
  close(out "/" changed)
  lines = split(stale, stale_line, "\n")
  for (i = 1; i < lines; ++i) print "stale " changed " " page ":" stale_line[i]
}

function region_unended() {
  if (region != "") wrong(region " has no <!-- lab:end -->")
  region = ""
}

function wrong(what, line) {
  print "error " page ":" (line ? line : region_line) ": " what
  ++page_errors
  ++errors
}

function add(line) { text = text line "\n" }

# A path of the repository as a link from the page: without the folders that both share.
function path_to(path,    mine, theirs, mine_count, count, i, shared, link) {
  mine_count = home == "." ? 0 : split(home, mine, "/")
  count = split(path, theirs, "/")
  shared = 1
  while (shared <= mine_count && shared < count && mine[shared] == theirs[shared]) ++shared
  link = ""
  for (i = shared; i <= mine_count; ++i) link = link "../"
  for (i = shared; i <= count; ++i) link = link theirs[i] (i < count ? "/" : "")
  return link
}

function lesson_link(folder) {
  return "[" number_of(folder, "-") " " fact[folder, "title"] "](" path_to(folder "/README.md") ")"
}

# The same in few words, for tables with many: 03-07-multishot-recv.
function short_link(folder) {
  return "[" number_of(folder, "-") substr(folder, index(folder, "/") + 3) "](" \
    path_to(folder "/README.md") ")"
}

function block(kind, content) {
  add("```" kind)
  text = text content
  add("```")
}

# The whole file; "" and an error when it is not there.
function file_text(path,    line, all, status) {
  all = ""
  while ((status = (getline line < path)) > 0) all = all line "\n"
  close(path)
  if (status < 0) wrong("no file " path)
  return all
}

function exists(path,    line, status) {
  status = (getline line < path)
  close(path)
  return status >= 0
}

# ---- regions

function fill(name, first) {
  old = ""
  filled_from = length(text)
  if (name ~ /^(facts|run|code|break|exercise|next)$/ && !(home in place_of)) {
    wrong("lab:" name " belongs into the README of a lesson that has a facts.txt")
  }
  else if (name == "facts") fill_facts()
  else if (name == "run") fill_run()
  else if (name == "code") fill_code(first)
  else if (name == "break") fill_break()
  else if (name == "exercise") fill_exercise()
  else if (name == "next") fill_next()
  else if (name == "lessons") fill_lessons(first)
  else if (name == "kernels") fill_kernels()
  else if (name == "opcodes") fill_opcodes()
  else if (name == "components") fill_components()
  else if (name == "totals") fill_totals()
  else wrong("no region lab:" name ". There are: facts run code break exercise next lessons" \
             " kernels opcodes components totals")
}

function fill_facts(    line, i, many, parts) {
  line = ""
  if (has_mark(home, "●")) line = line "; ● on the road to the capstone"
  if (has_mark(home, "★")) line = line "; ★ becomes part of a component"
  if (has_mark(home, "⚠")) line = line "; ⚠ contains a broken program"
  if (line != "") add("- " substr(line, 3))
  line = "- Linux " fact[home, "kernel"] " or newer (" verified_words(fact[home, "verified"]) ")"
  if (fact[home, "liburing"] != "") line = line ", liburing " fact[home, "liburing"] " or newer"
  add(line ", about " fact[home, "minutes"] " minutes")
  many = split(fact[home, "opcodes"], parts, / *, */)
  line = ""
  for (i = 1; i <= many; ++i) line = line ", `" parts[i] "`"
  if (many) add("- operations: " substr(line, 3))
  many = split(fact[home, "component"], parts, " ")
  line = ""
  for (i = 1; i <= many; ++i) line = line ", [★ " parts[i] "](" path_to(parts[i]) ")"
  if (many) add("- " substr(line, 3))
  add("")
  add("**" fact[home, "goal"] "**")
}

function verified_words(verified) {
  if (verified == "run") return "seen in a run"
  if (verified == "matrix") return "tried on that version"
  return "documented, not run"
}

function fill_run(    name, number, names, i, many, line) {
  name = program_of(home)
  number = number_of(home, "/")
  block("sh", "./lab run " number "\n# or by hand:\n" \
    "g++ " home "/" name ".cpp $(./lab env " number ") -o build/" name " && build/" name "\n")
  add("")
  add("It prints:")
  add("")
  output(home "/expected.txt")
  many = split(extras[home], names, " ")
  line = ""
  for (i = 1; i <= many; ++i) line = line ", `./lab run " number " " names[i] "`"
  if (many) { add(""); add("Beside it stand" (many == 1 ? "s: " : ": ") substr(line, 3) ".") }
  if (exists(home "/recorded.txt")) recorded(file_text(home "/recorded.txt"))
}

# The first line names the machine. "# " is how the lesson marks a figure.
function recorded(all,    machine) {
  machine = all
  sub(/\n.*/, "", machine)
  sub(/^[^\n]*\n/, "", all)
  add("")
  add("The figures of one recorded run (" machine "); yours will differ:")
  add("")
  block("text", all)
}

# What compare.awk compares with, as a reader wants it: the newest kernel's lines.
function output(path, brief,    all, lines, i, line, shown, before, many, varies, numbers, mark) {
  all = file_text(path)
  lines = split(all, expected_line, "\n") - 1
  shown = ""
  many = varies = numbers = 0
  for (i = 1; i <= lines; ++i) {
    line = expected_line[i]
    mark = ""
    if (match(line, /^\[-?[0-9]+\.[0-9]+\+?\] /)) {
      mark = substr(line, 2, RLENGTH - 3)
      line = substr(line, RLENGTH + 1)
    }
    sub(/^\[quiet\] /, "", line)
    if (substr(line, 1, 2) == "~ ") {
      line = readable(substr(line, 3))
      if (line == "") { line = "(this line varies)" }
      else if (line ~ /(^|[^A-Za-z])N([^A-Za-z]|$)/) numbers = 1
    }
    if (mark ~ /^-/ && (brief || line == "...")) continue
    if (mark ~ /^-/) sub(/^ */, "", line)
    if (mark ~ /^-/) before[++many] = "Before Linux " substr(mark, 2) ": `" line "`."
    else shown = shown line "\n"
  }
  block("text", shown)
  if (numbers || many) add("")
  if (numbers) add("`N` is a number that differs from run to run.")
  for (i = 1; i <= many; ++i) add(before[i])
}

# A regular expression as a line: numbers are N, anything is "...". "" where that would mislead.
function readable(pattern,    plain, at, next_one) {
  gsub(/\(\[0-9\]\+\)/, "[0-9]+", pattern)
  gsub(/\[[01]-9\](\[0-9\])*[+*]?/, "N", pattern)
  gsub(/N\\\.N/, "N", pattern)
  plain = ""
  while (pattern != "") {
    at = substr(pattern, 1, 1)
    if (at == "\\") {
      plain = plain substr(pattern, 2, 1)
      pattern = substr(pattern, 3)
    } else if (at == "." && substr(pattern, 2, 1) ~ /[*+]/) {
      plain = plain "..."
      pattern = substr(pattern, 3)
    } else if (at ~ /[][(){}*+?|^$.]/) {
      return ""
    } else {
      plain = plain at
      pattern = substr(pattern, 2)
    }
  }
  return plain
}

# lab:code FILE NAME...: the definitions of these names, in this order.
function fill_code(file,    path, found, all, i) {
  if (word_count < 3) { wrong("lab:code needs a file and a name: lab:code nop.cpp main"); return }
  path = file ~ /\// ? file : home "/" file
  if (!exists(path)) { wrong("no file " path); return }
  all = ""
  for (i = 3; i <= word_count; ++i) {
    found = definition(path, word[i])
    all = all (all == "" ? "" : "\n") found
    if (found == "") wrong(path " has no function, struct, class, enum or table \"" word[i] \
                           "\" at the left margin")
  }
  block("cpp", all)
}

# The definition of `name` that begins at column 0, with its comment lines and its template line.
function definition(path, name,    line, comment, head, body, inside, result) {
  comment = head = body = result = ""
  inside = 0
  while (result == "" && (getline line < path) > 0) {
    if (inside) {
      body = body line "\n"
      if (line ~ /^}/) {
        if (defines(head, name)) result = body
        inside = 0
        comment = head = body = ""
      }
    } else if (line ~ /^[ \t]*$/ || line ~ /^#/ || line ~ /^}/ || line ~ /^(inline )?namespace/) {
      comment = head = body = ""
    } else if (line ~ /^\/\// && head == "") {
      comment = comment line "\n"
    } else {
      if (head == "") body = comment
      head = head " " line
      body = body line "\n"
      if (line ~ /[{(][ \t]*(\/\/.*)?$/ && line !~ /\([ \t]*(\/\/.*)?$/) inside = 1
      else if (line ~ /[;}][ \t]*(\/\/.*)?$/) {
        if (index(head, "{") && defines(head, name)) result = body
        comment = head = body = ""
      }
    }
  }
  close(path)
  return result
}

# Is this the head of a definition of `name`: "... name(", "struct name", "name[] =", "name ="?
function defines(head, name,    words, count, i, text_before, one) {
  sub(/^ *template *<[^{]*> /, " ", head)
  text_before = head
  sub(/[({=[].*/, "", text_before)
  gsub(/[*&:;]/, " ", text_before)
  count = split(text_before, words, " ")
  if (text_before ~ /^ *(struct|class|union|enum|enum class|enum struct|concept) /) {
    for (i = 2; i <= count; ++i) if (words[i] == name) return 1
    return 0
  }
  return words[count] == name
}

function fill_break() {
  add("`./lab break " number_of(home, "/") "` makes this change and runs the program:")
  add("")
  block("diff", short_diff(file_text(home "/break.diff")))
  add("")
  add("Now it prints:")
  add("")
  output(home "/broken.txt", "without other kernels")
}

# A unified diff with one line around each change; what is left out between changes is "@@".
function short_diff(diff,    count, i, line, result, shown, near) {
  count = split(diff, diff_line, "\n") - 1
  result = ""
  shown = 0
  for (i = 1; i <= count; ++i) {
    line = diff_line[i]
    if (line ~ /^(---|\+\+\+) / || line ~ /^@@/) continue
    near = changes(diff_line[i - 1]) + changes(diff_line[i + 1])
    if (!changes(line) && near < (line ~ /^ *$/ ? 2 : 1)) continue
    if (shown && shown != i - 1) result = result "@@\n"
    shown = i
    result = result line "\n"
  }
  return result
}

function changes(line) { return line ~ /^[-+]/ && line !~ /^(---|\+\+\+) / }

function fill_exercise(    number, task) {
  number = number_of(home, "/")
  task = fact[home, "exercise"]
  if (task == "") { wrong("facts.txt has no line exercise:"); return }
  add(toupper(substr(task, 1, 1)) substr(task, 2) (task ~ /[.!?]$/ ? "" : "."))
  add("`./lab exercise " number "` copies the starter to your `mine.cpp` and checks it.")
  add("`./lab hint " number "` gives one step a call, `./lab solution " number \
    "` is for comparing.")
}

function fill_next(    i, in_order, on_road, capstone) {
  in_order = on_road = ""
  for (i = place_of[home] + 1; i <= lessons; ++i) {
    if (in_order == "") in_order = lesson[i]
    if (has_mark(lesson[i], "●")) { on_road = lesson[i]; break }
  }
  capstone = "[the capstone](" path_to("06-server/README.md") ")"
  if (in_order == "") add("That was the last lesson. What they lead to: " capstone ".")
  else if (!has_mark(home, "●")) add(lesson_link(in_order) ".")
  else if (on_road == in_order) add("● " lesson_link(in_order) ".")
  else {
    if (on_road == "") add("- ● The road ends here, at " capstone ".")
    else add("- ● The road: " lesson_link(on_road) ".")
    add("- In order: " lesson_link(in_order) ".")
  }
}

# ---- tables

function cell(value) {
  gsub(/\|/, "\\|", value)
  return value
}

function fill_lessons(chapter,    i, folder, minutes, count, road, kernel) {
  if (chapter == "") chapter = home
  minutes = count = road = 0
  for (i = 1; i <= lessons; ++i) {
    folder = lesson[i]
    if (index(folder, chapter "/") != 1) continue
    if (!count++) {
      add("| lesson | marks | what you can do then | minutes | kernel |")
      add("| --- | --- | --- | --- | --- |")
    }
    add("| " cell(lesson_link(folder)) " | " fact[folder, "marks"] " | " \
      cell(fact[folder, "goal"]) " | " fact[folder, "minutes"] " | " fact[folder, "kernel"] " |")
    minutes += fact[folder, "minutes"]
    if (has_mark(folder, "●")) road += fact[folder, "minutes"]
  }
  if (!count) { add("No lesson of this chapter is written yet."); return }
  add("")
  add("● on the road to the capstone · ★ becomes part of a component · ⚠ contains a broken program")
  add("")
  add(count (count == 1 ? " lesson, " : " lessons, ") time_words(minutes) \
    (road ? "; the ones with ● " time_words(road) : "") ".")
}

function time_words(minutes) {
  if (minutes < 120) return "about " minutes " minutes"
  return sprintf("about %d hours", minutes / 60 + 0.5)
}

# Sorts list[1 .. count], as text or as versions.
function sort_list(list, count, by_version,    i, j, one) {
  for (i = 2; i <= count; ++i) {
    one = list[i]
    for (j = i - 1; j >= 1; --j) {
      if (by_version ? version(list[j]) <= version(one) : list[j] <= one) break
      list[j + 1] = list[j]
    }
    list[j + 1] = one
  }
}

function fill_kernels(    i, kernel, kernels, list, of, count) {
  for (i = 1; i <= lessons; ++i) {
    kernel = fact[lesson[i], "kernel"]
    if (!(kernel in of)) list[++count] = kernel
    of[kernel] = of[kernel] (of[kernel] == "" ? "" : ", ") short_link(lesson[i])
  }
  sort_list(list, count, 1)
  add("| oldest kernel | lessons |")
  add("| --- | --- |")
  for (i = 1; i <= count; ++i) add("| " list[i] " | " cell(of[list[i]]) " |")
}

function fill_opcodes(    i, j, many, parts, list, of, count) {
  for (i = 1; i <= lessons; ++i) {
    many = split(fact[lesson[i], "opcodes"], parts, / *, */)
    for (j = 1; j <= many; ++j) {
      if (!(parts[j] in of)) list[++count] = parts[j]
      of[parts[j]] = of[parts[j]] (of[parts[j]] == "" ? "" : ", ") short_link(lesson[i])
    }
  }
  sort_list(list, count, 0)
  add("| operation | lessons |")
  add("| --- | --- |")
  for (i = 1; i <= count; ++i) add("| `IORING_OP_" list[i] "` | " cell(of[list[i]]) " |")
}

function fill_components(    i, j, many, parts, of, list, count) {
  for (i = 1; i <= lessons; ++i) {
    many = split(fact[lesson[i], "component"], parts, " ")
    for (j = 1; j <= many; ++j) of[parts[j]] = lesson[i]
  }
  count = split(headers, list, " ")
  add("| component | its lesson |")
  add("| --- | --- |")
  for (i = 1; i <= count; ++i) {
    if (list[i] !~ /^0[123]-/) continue
    add("| [" list[i] "](" path_to(list[i]) ") | " \
      (list[i] in of ? cell(lesson_link(of[list[i]])) : "its lesson is not written yet") " |")
  }
}

function fill_totals(    i, minutes, road, road_minutes, breaks, exercises) {
  minutes = road = road_minutes = exercises = 0
  for (i = 1; i <= lessons; ++i) {
    minutes += fact[lesson[i], "minutes"]
    if (has_mark(lesson[i], "●")) { ++road; road_minutes += fact[lesson[i], "minutes"] }
    if (fact[lesson[i], "exercise"] != "") ++exercises
  }
  add(lessons " lessons, " time_words(minutes) "; " road " of them are the road to the capstone" \
    " (●), " time_words(road_minutes) ". " exercises " have an exercise.")
}
