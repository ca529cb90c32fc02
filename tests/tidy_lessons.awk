# The rules of a lesson, in one pass over all lessons: tests/tidy gives facts.awk, all facts.txt,
# then a listing of the tree's files (named by `listing`), then the files to look into. A folder
# without facts.txt is not a lesson. `declared` is what the chapters' lab_component() lines name.

BEGIN {
  many = split("title goal marks kernel verified liburing minutes features opcodes", word, " ")
  for (i = 1; i <= many; ++i) required[word[i]] = 1
  many = split("marks features opcodes", word, " ")
  for (i = 1; i <= many; ++i) may_be_empty[word[i]] = 1
  many = split(declared, word, " ")
  for (i = 1; i <= many; ++i) there[word[i]] = 1
}

# liburing's helpers that are not named as their operation is.
BEGIN {
  aliases = "ACCEPT accept_direct multishot_accept multishot_accept_direct:" \
    "ASYNC_CANCEL cancel cancel64 cancel_fd:POLL_ADD poll_multishot:POLL_REMOVE poll_update:" \
    "TIMEOUT_REMOVE timeout_update:OPENAT open open_direct openat_direct:OPENAT2 openat2_direct:" \
    "CLOSE close_direct:RECV recv_multishot:RECVMSG recvmsg_multishot:SEND send_bundle sendto:" \
    "SEND_ZC send_zc_fixed:URING_CMD cmd_sock cmd_discard cmd_getsockname:PIPE pipe_direct:" \
    "SOCKET socket_direct socket_direct_alloc:MSG_RING msg_ring_cqe_flags msg_ring_fd:" \
    "UNLINKAT unlink:RENAMEAT rename:MKDIRAT mkdir:SYMLINKAT symlink:LINKAT link:" \
    "READV readv2:WRITEV writev2"
  many = split(aliases, group, ":")
  for (i = 1; i <= many; ++i) {
    count = split(group[i], word, " ")
    for (j = 2; j <= count; ++j) operation_of[word[j]] = word[1]
  }
}

FILENAME == listing { there[$0] = 1; next }

FNR == 1 {
  folder = name = FILENAME
  sub(/\/[^\/]*$/, "", folder)
  sub(/.*\//, "", name)
  is_program = name ~ /\.cpp$/ && name !~ /^(exercise|solution)\.cpp$/
}

# What is generated, and the marks around what a page shows, are no lines that a person reads twice.
FNR == 1 { generated = 0 }
name == "README.md" && /^<!-- lab:[a-z]/ { generated = !/^<!-- lab:end/ }
!generated && !/^<!-- lab:end/ && !/^ *\/\/ \[\/?walk( [a-z0-9-]+)?\]$/ { ++lines[FILENAME] }
name ~ /\.[ch]pp$/ && /io_uring_prep_|IORING_OP_|compat::op_/ { note_operations($0) }
is_program && FNR <= 12 && match($0, /^\/\/ *(shows|needs|try):/) {
  first_word = substr($0, RSTART, RLENGTH - 1)
  sub(/^\/\/ */, "", first_word)
  begins[FILENAME, first_word] = 1
}
/^#include "0[1-6]-[a-z]+\// {
  split($0, quoted, "\"")
  included[++includes] = FILENAME ":" FNR "\n" quoted[2] "\n" folder
}
name == "README.md" {
  if (FNR == 1) heading[folder] = $0
  if (/^## / || /^<!-- lab:/) has[folder, $0] = 1
}
name == "hints.md" && /^## / { steps[folder] = steps[folder] " " $2 }
name == "expected.txt" { expected[folder] = expected[folder] $0 "\n" }
name == "broken.txt" { broken[folder] = broken[folder] $0 "\n" }

END {
  for (place = 1; place <= lessons; ++place) {
    folder = lesson[place]
    check_facts(folder)
    check_operations(folder)
    check_files(folder)
    if ((folder "/README.md") in there) check_readme(folder)
  }
  check_includes()
  check_lengths()
}

function found(place, what) { print place ": " what }

# uses[FILE, OPERATION]: what a source prepares. Components count for whoever includes them, and for
# the lesson that builds them.
function note_operations(line,    token) {
  while (match(line, /(io_uring_prep_|IORING_OP_|compat::op_)[A-Za-z0-9_]+/)) {
    token = substr(line, RSTART, RLENGTH)
    line = substr(line, RSTART + RLENGTH)
    if (sub(/^io_uring_prep_/, "", token))
      token = token in operation_of ? operation_of[token] : toupper(token)
    else if (sub(/^compat::op_/, "", token)) token = toupper(token)
    else sub(/^IORING_OP_/, "", token)
    uses[FILENAME, token] = 1
    uses[folder, token] = 1
  }
}

function check_operations(folder,    parts, part, many, i, j, used, source, built, many_built) {
  many = split(fact[folder, "opcodes"], parts, / *, */)
  for (i = 1; i <= many; ++i) {
    used = (folder, parts[i]) in uses
    for (j = 1; j <= includes && !used; ++j) {
      split(included[j], part, "\n")
      source = part[2]
      sub(/\.hpp$/, ".cpp", source)
      used = part[3] == folder && ((part[2], parts[i]) in uses || (source, parts[i]) in uses)
    }
    many_built = split(fact[folder, "component"], built, / +/)
    for (j = 1; j <= many_built && !used; ++j) used = (built[j], parts[i]) in uses
    if (!used) found(folder "/facts.txt:1", "nothing here prepares the operation " parts[i])
  }
}

function check_facts(folder,    at, key, parts, many, i, marks, was_run) {
  at = folder "/facts.txt:1"
  for (key in required) {
    if (!((folder, key) in fact)) found(at, "no line \"" key ":\"")
    else if (fact[folder, key] == "" && !(key in may_be_empty))
      found(at, "nothing after \"" key ":\"")
  }
  for (key in fact) {
    split(key, parts, SUBSEP)
    if (parts[1] != folder || parts[2] in required) continue
    if (parts[2] !~ /^(component|exercise|ran)$/) found(at, "no such key: " parts[2])
  }
  whole_number(folder, "kernel", "^[5-9][.][0-9]+$", "a kernel such as 5.19")
  whole_number(folder, "liburing", "^[0-9]+[.][0-9]+$", "a release such as 2.9")
  whole_number(folder, "minutes", "^[1-9][0-9]?[0-9]?$", "a number of minutes")
  whole_number(folder, "verified", "^(run|matrix|documented)$", "run, matrix or documented")
  was_run = version(fact[folder, "kernel"]) >= version("6.1")
  if (was_run == (fact[folder, "verified"] == "documented"))
    found(at, "verified is \"documented\" below Linux 6.1 and only there")
  marks = fact[folder, "marks"]
  sub(/●/, "", marks)
  sub(/★/, "", marks)
  sub(/⚠/, "", marks)
  if (marks !~ /^ *$/) found(at, "marks are ● ★ ⚠, each once at most: " fact[folder, "marks"])
  many = split(fact[folder, "component"], parts, " ")
  if (many && !has_mark(folder, "★")) found(at, "a component, but no ★")
  for (i = 1; i <= many; ++i) check_component(folder, parts[i], at)
  if ((fact[folder, "exercise"] != "") != ((folder "/exercise.cpp") in there))
    found(at, "the line \"exercise:\" and the file exercise.cpp belong together")
}

function whole_number(folder, key, pattern, what) {
  if (fact[folder, key] != "" && fact[folder, key] !~ pattern)
    found(folder "/facts.txt:1", key " is \"" fact[folder, key] "\", not " what)
}

# One ★ lesson per component, in its own chapter.
function check_component(folder, component, at) {
  if (!(component in there)) found(at, "★ " component " is not there")
  if (substr(component, 1, 2) != substr(folder, 1, 2))
    found(at, "★ " component " is of another chapter")
  if (component in star) found(at, "★ " component " stands in " lesson[star[component]] " too")
  else star[component] = place
}

function check_files(folder,    main, parts, many, i, file, program) {
  main = program_of(folder) ".cpp"
  many = split("README.md expected.txt break.diff broken.txt " main, parts, " ")
  for (i = 1; i <= many; ++i) {
    if (!((folder "/" parts[i]) in there)) found(folder ":1", "no " parts[i])
  }
  many = split("exercise.cpp solution.cpp check.hpp hints.md", parts, " ")
  for (i = 1; i <= many; ++i) {
    if (!((folder "/" parts[i]) in there) && fact[folder, "exercise"] != "")
      found(folder ":1", "an exercise without " parts[i])
  }
  if ((folder "/hints.md") in there && steps[folder] != " 1 2 3")
    found(folder "/hints.md:1", "hints have the three headings \"## 1\", \"## 2\", \"## 3\"")
  if (folder in expected && expected[folder] == broken[folder])
    found(folder "/broken.txt:1", "the same as expected.txt: then nothing is broken")
  for (file in lines) {
    if (index(file, folder "/") != 1 || file !~ /\.cpp$/) continue
    program = substr(file, length(folder) + 2)
    if (program ~ /^(exercise|solution)\.cpp$/) continue
    check_program(file)
    sub(/\.cpp$/, ".expected.txt", program)
    if (folder "/" main != file && !((folder "/" program) in there))
      found(folder ":1", "no " program " for its second program")
  }
}

function check_program(file,    parts, i) {
  split("shows needs try", parts, " ")
  for (i = 1; i <= 3; ++i) {
    if (!((file, parts[i]) in begins))
      found(file ":1", "no \"// " parts[i] ":\" among its first lines")
  }
  if (lines[file] > 200) found(file ":1", lines[file] " lines; a lesson has at most 200")
}

function check_readme(folder,    at, want, parts, many, i) {
  at = folder "/README.md:1"
  if (lines[folder "/README.md"] > 150)
    found(at, lines[folder "/README.md"] " lines by hand; a lesson's README has at most 150")
  want = "# " number_of(folder, "-") " " fact[folder, "title"]
  if (heading[folder] != want) found(at, "its heading is not \"" want "\"")
  want = "## Predict,## Run,## Break it,## Next," \
    "<!-- lab:facts -->,<!-- lab:run -->,<!-- lab:break -->,<!-- lab:next -->"
  if (fact[folder, "exercise"] != "") want = want ",<!-- lab:exercise -->"
  if (has_mark(folder, "★")) want = want ",## What it became"
  if (has_mark(folder, "●") || folder ~ /^01-/) want = want ",## The program,## What to remember"
  # A lesson that measures says what follows from it.
  if (folder ~ /^05-/) want = want ",## Do,## Don't,## Impact,## How to debug"
  many = split(want, parts, ",")
  for (i = 1; i <= many; ++i) if (!((folder, parts[i]) in has)) found(at, "no \"" parts[i] "\"")
}

# A lesson includes a component only when its ★ lesson comes before it, or is it.
function check_includes(    i, part, component) {
  for (i = 1; i <= includes; ++i) {
    split(included[i], part, "\n")
    component = part[2]
    if (!(part[3] in place_of) || component !~ /\/lib\//) continue
    if (!(component in star)) found(part[1], component " has no ★ lesson yet")
    else if (star[component] > place_of[part[3]])
      found(part[1], component " is built later, in " lesson[star[component]])
  }
}

function check_lengths(    i, j, one, file, count, sorted) {
  for (file in lines) {
    if (file ~ /\/(lesson|loopback)\.hpp$/ && lines[file] > 120)
      found(file ":1", lines[file] " lines; at most 120 (five minutes of reading)")
  }
  count = 0
  for (i = 1; i <= lessons; ++i) {
    file = lesson[i] "/" program_of(lesson[i]) ".cpp"
    if (!(file in lines)) continue
    one = lines[file]
    for (j = count++; j >= 1 && sorted[j] > one; --j) sorted[j + 1] = sorted[j]
    sorted[j + 1] = one
  }
  one = sorted[int((count + 1) / 2)]
  if (one > 120) found("lessons", "the median program has " one " lines; 120 is the limit")
}
