# Lessons: folders like 03-network/07-multishot-recv. Sourced by lab.
# A lesson's CMake target and program are its two numbers and its name: 03-07-multishot-recv.

lessons() {
  for folder in 0[1-6]-*/[0-9][0-9]-*/; do
    [ ! -d "$folder" ] || printf '%s\n' "${folder%/}"
  done
}

lesson_target() {
  printf '%s-%s\n' "${1%%-*}" "${1#*/}"
}

# What a mistyped lesson may have meant: each in its long and its short form.
lesson_names() {
  lessons | while read -r lesson; do
    lesson_target "$lesson"
    printf '%s\n' "${lesson#*/[0-9][0-9]-}"
  done
}

# A folder may hold a tool before its lesson: what a lesson prints makes it one.
lesson_is_written() {
  [ -f "$1/expected.txt" ]
}

# The first heading of a README, without its marks.
heading() {
  sed -n 's/^# *//p' "$1/README.md" 2>/dev/null | head -n 1
}

lessons_list() {
  for chapter in 0[1-6]-*/; do
    chapter=${chapter%/}
    title=$(heading "$chapter")
    printf '%s%s\n' "$chapter" "${title:+   $title}"
    found=
    for lesson in $(lessons | grep "^$chapter/"); do
      found=1
      title=$(heading "$lesson")
      lesson_is_written "$lesson" || title="$title (not written yet)"
      printf '  %-32s %s\n' "$(lesson_target "$lesson")" "$title"
    done
    [ -n "$found" ] || echo "  (no lessons yet)"
  done
}

# lesson_find WORD: the one lesson meant by a number (03-07), a folder or a part of its name.
lesson_find() {
  wanted=$(printf '%s' "${1%/}" | sed 's|^\./||')
  found=$(lessons | awk -v wanted="$wanted" '
    { split($0, part, "/"); target = substr(part[1], 1, 2) "-" part[2] }
    $0 == wanted || target == wanted || part[2] == wanted { exact = $0 }
    { number = substr(target, 1, 5); given = wanted; sub("/", "-", given) }
    number == given { exact = $0 }
    index(target, wanted) { near = near $0 "\n" }
    END { if (exact != "") print exact; else printf "%s", near }')
  case $(printf '%s\n' "$found" | grep -c .) in
    1) printf '%s\n' "$found" ;;
    0) die "no lesson \"$1\".$(did_you_mean "$1" "$(lesson_names)") All of them: ./lab list" ;;
    *) die "\"$1\" may be: $(for one in $found; do lesson_target "$one"; done | xargs)" ;;
  esac
}
