# How far a learner is, in lessons and in hours, for ./lab list and ./lab next. After facts.awk:
# `progress` is the file of what is done, `way` the "road" (the lessons with ●) or "all".

BEGIN {
  while ((getline line < progress) > 0) done[line] = 1
}

END { print_way() }

function print_way(    i, count, minutes, count_behind, minutes_behind) {
  for (i = 1; i <= lessons; ++i) {
    if (way == "road" && !has_mark(lesson[i], "●")) continue
    ++count
    minutes += fact[lesson[i], "minutes"]
    if (!behind(lesson[i])) continue
    ++count_behind
    minutes_behind += fact[lesson[i], "minutes"]
  }
  if (!count) return
  printf "%s %d of %d lessons are behind you, %s of %s\n",
    way == "road" ? "The road:     " : "All lessons:  ", count_behind, count,
    time_words(minutes_behind), time_words(minutes)
}

# Done, or passed over because this machine cannot show it: either way the way goes on after it.
function behind(folder) { return ("ran " folder) in done || ("skipped " folder) in done }

# 50 min, 2 h, 12 h 40 min
function time_words(minutes,    hours) {
  hours = int(minutes / 60)
  minutes %= 60
  if (!hours) return minutes + 0 " min"
  return hours " h" (minutes ? " " minutes " min" : "")
}
