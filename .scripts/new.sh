# ./lab new LESSON: a lesson's folder that builds, passes its test and tests/tidy. Sourced by lab.

# lesson_new CHAPTER/NUMBER-NAME: 04/18-name, 04-18-name and 04-advanced/18-name are the same.
lesson_new() {
  case ${1:-} in
    '') die "new which lesson? Its chapter, number and name, for example: ./lab new 04/18-name" ;;
    -*) die "new has no flag $1. Its help: ./lab new --help" ;;
  esac
  [ $# -eq 1 ] || die "new makes one lesson at a time. Its help: ./lab new --help"
  word=$(printf '%s' "${1%/}" | sed 's|^\./||; s|^\(0*[0-9]\)-\([0-9]\)|\1/\2|')
  printf '%s\n' "$word" |
    grep -qE '^0*[0-9](-[a-z]+)?/[0-9]{1,2}-[a-z][a-z0-9]*(-[a-z0-9]+)*$' ||
    die "\"$1\" is no lesson's name: CHAPTER/NUMBER-NAME in small letters, for example 04/18-name"
  digit=$(printf '%s' "$word" | sed 's|^0*\([0-9]\).*|\1|')
  chapter=$(chapter_find "$digit")
  given=${word%%/*}
  case $given in
    "$chapter") ;;
    *-*) die "no chapter \"$given\".$(did_you_mean "$given" "$chapter")" ;;
  esac
  name=${word#*/}
  # (Without its zero: printf reads 08 as octal.)
  number=$(printf '%02d' "$(printf '%s' "${name%%-*}" | sed 's/^0//')")
  name=${name#*-}
  lesson_new_unlike_others
  need format
  lesson_new_files
  note "Made $lesson: a lesson that runs. Now make it yours:"
  note "  what it says and needs    $lesson/facts.txt"
  note "  the program, the page     $lesson/$program.cpp, README.md; then ./lab format"
  note "  does it still pass?       ./lab test $(lesson_target "$lesson")"
  note "docs/hacking.md says more."
}

# chapter_find DIGIT: the folder of a chapter that has lessons.
chapter_find() {
  for folder in 0"$1"-*/; do
    [ -f "${folder}CMakeLists.txt" ] || die "no chapter 0$1. They are: $(echo 0[1-6]-*)"
    grep -q '^lab_lessons(' "${folder}CMakeLists.txt" ||
      die "${folder%/} has no lessons yet. Cure: lab_lessons() in ${folder}CMakeLists.txt"
    printf '%s\n' "${folder%/}"
  done
}

# What is there stays as it is; and a name leads to one lesson, as in ./lab run NAME.
lesson_new_unlike_others() {
  lesson=$chapter/$number-$name
  program=$(lesson_program "$lesson")
  for other in "$chapter/$number"-*; do
    [ ! -e "$other" ] || die "$other is there. The next number: $(chapter_next)"
  done
  for other in 0[1-6]-*/[0-9][0-9]-"$name"; do
    [ ! -e "$other" ] || die "$other has that name: ./lab run $name would mean both"
  done
}

# The number after the last lesson of $chapter.
chapter_next() {
  for folder in "$chapter"/[0-9][0-9]-*/; do
    last=${folder#*/}
  done
  printf '%02d\n' $((1${last%%-*} - 99))
}

lesson_new_files() {
  title=$(printf '%s\n' "$name" | tr - ' ' |
    awk '{ print toupper(substr($0, 1, 1)) substr($0, 2) }')
  short=$(lesson_number "$lesson")
  mkdir "$lesson"
  lesson_new_facts >"$lesson/facts.txt"
  lesson_new_program >"$lesson/$program.cpp"
  printf 'user_data: 42\nOK\n' >"$lesson/expected.txt"
  printf 'user_data: 0\nOK\n' >"$lesson/broken.txt"
  grep -v set_data64 "$lesson/$program.cpp" |
    diff -u --label "a/$program.cpp" --label "b/$program.cpp" "$lesson/$program.cpp" - \
      >"$lesson/break.diff" || true
  lesson_new_page >"$lesson/README.md"
  # The chapter's table, the neighbours' last lines and the lists of all lessons name it, too.
  pages_fill
}

lesson_new_facts() {
  cat <<END
title: $title
goal: You can say here what the reader can do afterwards.
marks:
kernel: 5.1
verified: documented
liburing: 2.2
minutes: 20
features:
opcodes: NOP
END
}

lesson_new_program() {
  cat <<END
// shows: what is new here, in one line
// needs: Linux 5.1
// try:   ./lab run $(printf '%s' "$short" | tr / -)
#include <liburing.h>

#include <cstdio>

#include "01-core/lesson.hpp"

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);

  // [walk heart]
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_nop(sqe);
  io_uring_sqe_set_data64(sqe, 42);
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  // [/walk]

  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_peek_cqe(&ring, &cqe), "io_uring_peek_cqe");
  std::printf("user_data: %llu\n", io_uring_cqe_get_data64(cqe));
  io_uring_cqe_seen(&ring, cqe);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
END
}

lesson_new_page() {
  cat <<END
# $(printf '%s' "$short" | tr / -) $title

<!-- lab:facts -->
<!-- lab:end -->

The problem that the reader has had, and the mechanism that solves it.

## Predict

One question about what the program will print.

<details>
<summary>Answer</summary>

The answer, and why.

</details>

## Run

<!-- lab:run -->
<!-- lab:end -->

What each line means.

## The program

What this excerpt does, and why so:

<!-- lab:code $program.cpp heart -->
<!-- lab:end -->

END
  case $chapter in
    05-*)
      for heading in "Do" "Don't" Impact "How to debug"; do
        printf '## %s\n\nWhat follows from the figures.\n\n' "$heading"
      done
      ;;
  esac
  cat <<'END'
## Break it

One change, and the mistake that it stands for.

<!-- lab:break -->
<!-- lab:end -->

## What to remember

Two to four sentences.

## Next

<!-- lab:next -->
<!-- lab:end -->
END
}
