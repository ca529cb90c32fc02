# The verbs of a learner: run, break, exercise, hint, solution, next. Sourced by lab.

# program_run TARGET [flags]: from the user's own folder, where the files named in its flags are.
program_run() {
  program=$LAB_ROOT/build/release/bin/$1
  shift
  (cd "$CALLED_FROM" && exec "$program" "$@")
}

# program_watched TARGET [flags]: the same; without an OK at its end it has failed. The exit code
# alone is no proof: that of an empty file is 0 too.
program_watched() {
  watched=$1
  shift
  told=$(mktemp)
  {
    code=0
    program_run "$watched" "$@" || code=$?
    echo $code >"$told.code"
  } | tee "$told"
  code=$(cat "$told.code") || code=1
  end=$(tail -c 3 "$told")
  rm -f "$told" "$told.code"
  if [ "$code" = 0 ] && [ "$end" != OK ]; then
    note "lab: $watched did not end with OK. Is its file cut off (a full disk, a power cut)?"
    note "Cure: rm build/release/bin/$watched, then once more."
    return 1
  fi
  return "$code"
}

# learn_run FOLDER [PROGRAM] [flags]: a PROGRAM.cpp beside the main one has a PROGRAM.expected.txt.
learn_run() {
  lesson=$1
  shift
  target=$(lesson_target "$lesson")
  main_program=1
  if [ $# -gt 0 ] && [ -f "$lesson/${1%.cpp}.expected.txt" ]; then
    target=$target-${1%.cpp}
    main_program=
    shift
  fi
  build_quietly release "$target"
  # Asking a program for its help is not running it.
  if help_wanted "${1:-}"; then
    program_run "$target" "$@"
    return
  fi
  status=0
  program_watched "$target" "$@" || status=$?
  [ -z "$main_program" ] || learn_record "$lesson" $status
  return $status
}

# learn_record FOLDER STATUS: done, or passed over because this machine cannot show it.
learn_record() {
  case $2 in
    0) progress_add ran "$1" ;;
    77) progress_add skipped "$1" ;;
  esac
}

# as_expected FOLDER/expected.txt PRINTED: silent when it is, else the first difference.
as_expected() {
  LC_ALL=C awk -v kernel="$(uname -r)" -f .scripts/compare.awk "$1" "$2"
}

learn_break() {
  lesson=$1
  [ -f "$lesson/break.diff" ] || die "$(lesson_target "$lesson") has no break.diff"
  target=$(lesson_target "$lesson")-broken
  cat "$lesson/break.diff"
  build_quietly release "$target"
  printed=$(mktemp)
  echo
  echo "With this change it prints:"
  # A program that is there to hang need not keep its reader for ten seconds, unless the machine is
  # so slow that it has not come to that. Any other may be slow.
  tries=${LAB_WATCHDOG_S:-10}
  ! grep -q "^FAIL: .* watchdog's time" "$lesson/broken.txt" || tries="3 $tries"
  for seconds in $tries; do
    (export LAB_WATCHDOG_S="$seconds" && program_run "$target" </dev/null) >"$printed" 2>&1 || true
    status=0
    difference=$(as_expected "$lesson/broken.txt" "$printed") || status=$?
    case $status in 0 | 77) break ;; esac
  done
  cat "$printed"
  rm -f "$printed"
  case $status in
    0) ;;
    77) note "The README shows more. $difference" ;;
    *)
      note "This is not what the README shows; the first difference:
$difference"
      ;;
  esac
  return $status
}

# exercise_of FOLDER: ends with a word when it has none.
exercise_of() {
  [ -f "$1/exercise.cpp" ] || {
    with=$(for one in $(lessons); do
      [ ! -f "$one/exercise.cpp" ] || lesson_number "$one"
    done | xargs)
    die "$(lesson_target "$1") has no exercise. Those that have one: ${with:-none yet}"
  }
}

# learn_exercise FOLDER [--reset]
learn_exercise() {
  lesson=$1
  number=$(lesson_number "$lesson")
  exercise_of "$lesson"
  mine=$lesson/mine.cpp
  case ${2:-} in
    '') ;;
    --reset)
      if [ -f "$mine" ]; then
        # A kept work is never replaced by another one.
        kept=.lab/$(lesson_target "$lesson")-mine.cpp
        copy=1
        while [ -e "$kept" ] || [ -L "$kept" ]; do
          copy=$((copy + 1))
          kept=.lab/$(lesson_target "$lesson")-mine-$copy.cpp
        done
        mkdir -p .lab
        mv "$mine" "$kept"
        note "Your work is now $kept."
      fi
      ;;
    *) die "exercise has no flag $2.$(did_you_mean "$2" --reset) Help: ./lab exercise --help" ;;
  esac
  if [ ! -f "$mine" ]; then
    cp "$lesson/exercise.cpp" "$mine"
    note "Yours is $mine: a copy of the starter, and nobody else's business (git ignores it)."
    note "The task: $(lesson_fact "$lesson" exercise)"
  fi
  build_quietly release "$(lesson_target "$lesson")-mine" "$mine does not compile (see above)"
  status=0
  program_watched "$(lesson_target "$lesson")-mine" </dev/null || status=$?
  case $status in
    0)
      progress_add solved "$lesson"
      note "Solved. Another way to write it: ./lab solution $number. Go on: ./lab next"
      ;;
    77) ;;
    *)
      note
      note "Not yet. Edit $mine where it says YOUR TURN, then: ./lab exercise $number"
      note "Stuck? ./lab hint $number"
      ;;
  esac
  return $status
}

# learn_hint FOLDER: the next section of hints.md; the last one stays.
learn_hint() {
  lesson=$1
  number=$(lesson_number "$lesson")
  exercise_of "$lesson"
  step=1
  while [ $step -le 3 ] && progress_has hint $step "$lesson"; do
    step=$((step + 1))
  done
  if [ $step -gt 3 ]; then
    note "There are three hints; the last one again. After it: ./lab solution $number"
    step=3
  fi
  echo "Hint $step of 3:"
  awk -v step=$step '
    /^## / { inside = ($2 == step); next }
    inside && (NF || begun) { begun = 1; print }' "$lesson/hints.md"
  progress_add hint $step "$lesson"
}

# learn_solution FOLDER [--whole]: what it changes in the starter, or the whole file.
learn_solution() {
  lesson=$1
  exercise_of "$lesson"
  case ${2:-} in
    '')
      diff -u --label starter "$lesson/exercise.cpp" --label solution "$lesson/solution.cpp" || true
      ;;
    --whole) cat "$lesson/solution.cpp" ;;
    *) die "solution has no flag $2.$(did_you_mean "$2" --whole) Help: ./lab solution --help" ;;
  esac
}

# ---- next

# learn_next [--all] [--no-ask]
learn_next() {
  all=
  ask=1
  for word in "$@"; do
    case $word in
      --all) all=1 ;;
      --no-ask) ask= ;;
      *)
        die "next has no \"$word\".$(did_you_mean "$word" "--all --no-ask") Help: ./lab next --help"
        ;;
    esac
  done
  lesson=$(next_lesson)
  if [ -z "$lesson" ]; then
    next_is_over
    return
  fi
  next_doctor
  need run
  number=$(lesson_number "$lesson")
  printf '%s  %s   (%s, about %s minutes)\n\n' "$number" "$(lesson_fact "$lesson" title)" \
    "$lesson/README.md" "$(lesson_fact "$lesson" minutes)"
  printf '%s\n' "$(lesson_fact "$lesson" goal)" | fold -s -w 90
  printf '\nPredict:\n'
  predict "$lesson" question | sed 's/^/  /'
  if [ -n "$ask" ] && [ -t 0 ]; then
    printf '\nRead the README first if this is new. Your answer ready? Then Enter: '
    read -r _ || exit 1
  fi
  build_quietly release "$(lesson_target "$lesson")"
  next_run
}

# The first lesson of the way that is neither done nor passed over; nothing at its end.
next_lesson() {
  for one in $(lessons); do
    if [ -z "$all" ]; then
      case $(lesson_fact "$one" marks) in *●*) ;; *) continue ;; esac
    fi
    progress_has ran "$one" || progress_has skipped "$one" || {
      echo "$one"
      return
    }
  done
}

next_is_over() {
  if [ -n "$all" ]; then
    echo "Every lesson is done. What they lead to: ./lab serve, and 06-server/README.md."
  else
    echo "The road is done: every lesson with ●. See where it led: ./lab serve"
    echo "The lessons beside the road: ./lab next --all. All of them: ./lab list"
  fi
}

# What can be known in a moment; only what is wrong is said.
next_doctor() {
  . .scripts/doctor.sh
  status=0
  found=$(doctor_without_a_build) || status=1
  printf '%s\n' "$found" | awk '/^[a-z]/ { shown = /^bad/ } shown' >&2
  [ $status = 0 ] || die "no lesson can run here until that is cured. More: ./lab doctor"
}

# predict FOLDER question|answer: the parts of the README's section Predict.
predict() {
  awk -v part="$2" '
    /^## / { inside = ($0 == "## Predict"); next }
    !inside { next }
    /^<details>/ { answer = 1; next }
    /^<summary>/ { next }
    /^<\/details>/ { exit }
    (part == "answer") != answer { next }
    NF == 0 { blank = 1; next }
    { if (blank && begun) print ""; blank = 0; begun = 1; print }' "$1/README.md"
}

next_run() {
  printed=$(mktemp)
  status=0
  printf '\nIt prints:\n'
  program_run "$(lesson_target "$lesson")" </dev/null >"$printed" 2>&1 || status=$?
  sed 's/^/  /' "$printed"
  case $status in
    0 | 77) difference=$(as_expected "$lesson/expected.txt" "$printed") || status=$? ;;
    *) difference="it ended with exit code $status" ;;
  esac
  unseen=$(grep -c ': not seen now$' "$printed" || true)
  rm -f "$printed"
  case $status$unseen in
    770) printf '\nThis machine cannot show it, so the way goes on without it.\n' ;;
    0* | 77*)
      printf '\nAnswer:\n'
      predict "$lesson" answer | sed 's/^/  /'
      [ $status = 0 ] ||
        printf '\nPart of it could not be seen now. The README shows it; the way goes on.\n'
      ;;
    *)
      note
      note "That is not what its README shows: $difference"
      die "stopped at $number. Once more: ./lab next; alone: ./lab run $number"
      ;;
  esac
  learn_record "$lesson" $status
  next_says_how_to_go_on
}

next_says_how_to_go_on() {
  echo
  [ ! -f "$lesson/break.diff" ] || echo "Break it:      ./lab break $number"
  [ ! -f "$lesson/exercise.cpp" ] || echo "Its exercise:  ./lab exercise $number"
  if [ -n "$all" ]; then lessons_awk all; else lessons_awk road; fi
  following=$(next_lesson)
  if [ -n "$following" ]; then
    echo "Go on:         ./lab next${all:+ --all}    ($(lesson_number "$following")" \
      "$(lesson_fact "$following" title))"
  else
    next_is_over
  fi
}

# ---- env

# learn_env [FOLDER or FILE.cpp]: the flags for one g++ line, relative to the top of the tree. They
# go after the program's source: a static library serves only what stands before it.
learn_env() {
  # The line that uses them writes its program there.
  mkdir -p build
  include=
  library=-l:liburing.a
  if [ -f build/deps/lib/liburing.a ]; then
    include=' -Ibuild/deps/include'
    library=build/deps/lib/liburing.a
  fi
  sources=
  [ $# -eq 0 ] || sources=$(lesson_sources "$1")
  echo "-std=c++20 -O2 -I.$include$sources $library -pthread"
}

# lesson_sources FOLDER or FILE.cpp: the .cpp files of the components that its programs include, and
# of theirs.
lesson_sources() {
  [ -f "$1" ] || set -- "$1"/*.cpp
  awk '
    function follow(path) {
      if (path in seen) return
      seen[path] = 1
      list[++count] = path
    }
    BEGIN {
      for (i = 1; i < ARGC; ++i) follow(ARGV[i])
      for (i = 1; i <= count; ++i) {
        while ((getline line < list[i]) > 0) {
          if (line ~ /^#include <fmt\//) fmt = " -lfmt"
          if (line ~ /^#include <openssl\//) ssl = " -lssl -lcrypto"
          if (line ~ /^#include <uv\.h>/) uv = " -luv"
          if (line !~ /^#include "0[1-6]-/) continue
          split(line, quoted, "\"")
          target = quoted[2]
          follow(target)
          if (target !~ /\/lib\//) continue
          sub(/\.hpp$/, ".cpp", target)
          if (target in seen) continue
          if ((getline line < target) > 0) {
            sources = sources " " target
            follow(target)
          }
          close(target)
        }
        close(list[i])
      }
      printf "%s%s%s%s", sources, fmt, ssl, uv
      exit
    }' "$@"
}
