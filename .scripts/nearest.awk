# The candidate (one a line) nearest to `word`: by edit distance, or as an abbreviation of it.
function edits(a, b,    i, j, cost, row, previous) {
  for (j = 0; j <= length(b); j++) previous[j] = j
  for (i = 1; i <= length(a); i++) {
    row[0] = i
    for (j = 1; j <= length(b); j++) {
      cost = substr(a, i, 1) != substr(b, j, 1)
      row[j] = previous[j - 1] + cost
      if (previous[j] + 1 < row[j]) row[j] = previous[j] + 1
      if (row[j - 1] + 1 < row[j]) row[j] = row[j - 1] + 1
    }
    for (j = 0; j <= length(b); j++) previous[j] = row[j]
  }
  return previous[length(b)]
}
function abbreviates(short, long,    i, at) {
  for (i = 1; i <= length(short); i++) {
    at = index(long, substr(short, i, 1))
    if (!at) return 0
    long = substr(long, at + 1)
  }
  return 1
}
{
  distance = edits(word, $0)
  if (length(word) >= 2 && abbreviates(word, $0) && distance > 1) distance = 1
  if (best == "" || distance < nearest) { nearest = distance; best = $0 }
}
END {
  limit = length(best) / 2
  if (best != "" && nearest <= limit) printf " Did you mean \"%s\"?", best
}
