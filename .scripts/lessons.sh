# Finding and listing lessons: folders like 03-network/07-multishot-recv that have a facts.txt.
# A lesson's CMake target and program are its two numbers and its name: 03-07-multishot-recv.
# Sourced by lab.

# What a learner has done, a line each: "ran FOLDER", "skipped FOLDER", "solved FOLDER" or
# "hint N FOLDER". Outside build/, which may be thrown away at any time.
PROGRESS=${LAB_PROGRESS:-$LAB_ROOT/.lab/progress}

progress_add() {
  mkdir -p "$(dirname -- "$PROGRESS")"
  progress_has "$@" || printf '%s\n' "$*" >>"$PROGRESS"
}

progress_has() {
  [ -f "$PROGRESS" ] && grep -qxF "$*" "$PROGRESS"
}

lessons() {
  for facts in 0[1-6]-*/[0-9][0-9]-*/facts.txt; do
    [ ! -f "$facts" ] || printf '%s\n' "${facts%/facts.txt}"
  done
}

# lesson_fact FOLDER KEY
lesson_fact() {
  sed -n "s/^$2: *//p" "$1/facts.txt"
}

lesson_target() {
  printf '%s-%s\n' "${1%%-*}" "${1#*/}"
}

# 03/07: the short form, as commands are shown.
lesson_number() {
  lesson_target "$1" | sed 's|^\(..\)-\(..\).*|\1/\2|'
}

# The program that a folder is named for: multishot_recv.
lesson_program() {
  printf '%s\n' "${1#*/[0-9][0-9]-}" | tr - _
}

# What a mistyped lesson may have meant: each in its long and its short form.
lesson_names() {
  lessons | while read -r lesson; do
    lesson_target "$lesson"
    lesson_number "$lesson"
    printf '%s\n' "${lesson#*/[0-9][0-9]-}"
  done
}

# is_example WORD: a server of 06-server/examples, by the name of its program.
is_example() {
  case $1 in
    '' | *[!a-z-]*) return 1 ;;
  esac
  [ -f "06-server/examples/$(printf '%s' "$1" | tr - _).cpp" ]
}

# example_is_built NAME: a file of the user's own there needs a line beside the others.
example_is_built() {
  list=06-server/examples/CMakeLists.txt
  grep -q "lab_example($1[ )]" "$list" ||
    die "$1 is not in $list. Cure: a line lab_example($1) in it"
}

# The names of all examples, one a line.
example_names() {
  sed -n 's/^ *lab_example(\([a-z-]*\).*/\1/p' 06-server/examples/CMakeLists.txt
}

# lesson_find WORD: the one lesson meant by a number (03/07 or 3-7), a folder or a part of its name.
lesson_find() {
  wanted=$(printf '%s' "${1%/}" | sed 's|^\./||; s|/README\.md$||')
  found=$(lessons | awk -v wanted="$wanted" '
    BEGIN {
      given = wanted
      sub("/", "-", given)
      if (given ~ /^[0-9]+-[0-9]+$/) {
        split(given, number, "-")
        given = sprintf("%02d-%02d", number[1], number[2])
      }
    }
    {
      split($0, part, "/")
      target = substr(part[1], 1, 2) "-" part[2]
      if ($0 == wanted || target == given || part[2] == wanted || substr(part[2], 4) == wanted ||
          substr(target, 1, 5) == given) exact = exact $0 "\n"
      if (wanted != "" && index(target, wanted)) near = near $0 "\n"
    }
    END { printf "%s", exact != "" ? exact : near }')
  case $(printf '%s\n' "$found" | grep -c .) in
    1) printf '%s\n' "$found" ;;
    0)
      ! is_example "$1" || die "\"$1\" is an example and not a lesson. Cure: ./lab run $1"
      near=$(did_you_mean "$1" "$(lesson_names && example_names)")
      die "no lesson \"$1\".$near All of them: ./lab list"
      ;;
    *) die "\"$1\" may be: $(for one in $found; do lesson_target "$one"; done | xargs)" ;;
  esac
}

# lessons_awk WAY [awk's options]: reads all facts.txt, and ends with how far the learner is on the
# way, which is the "road" or "all".
lessons_awk() {
  way=$1
  shift
  touched=$PROGRESS
  [ -f "$touched" ] || touched=/dev/null
  # shellcheck disable=SC2046 # paths of ours, without blanks
  LC_ALL=C awk -v progress="$touched" -v way="$way" -f .scripts/facts.awk "$@" -f .scripts/way.awk \
    $(lessons | sed 's|$|/facts.txt|') /dev/null
}

# The list, with what this kernel can run and what is done.
lessons_list() {
  chapters=$(for chapter in 0[1-6]-*/; do
    printf '%s\t%s\n' "${chapter%/}" "$(sed -n 's/^# *//p' "$chapter/README.md" 2>/dev/null |
      head -n 1)"
  done)
  lessons_awk road -v here="$(uname -r)" -v chapters="$chapters" -f .scripts/list.awk
}
