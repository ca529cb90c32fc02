# A picture's source (NAME.pic) as SVG on stdout; docs/pictures.md is the reference of the source.
# Only whole numbers and ASCII classes, so that every awk in every locale prints the same bytes.

function fail(line, what) {
  printf "%s:%d: %s\n", FILENAME, line, what > "/dev/stderr"
  failed = 1
  exit 1
}
function max(a, b) { return a > b ? a : b }
function min(a, b) { return a < b ? a : b }
function trim(s) { gsub(/^[ \t]+|[ \t]+$/, "", s); return s }
function escaped(s) {
  gsub(/&/, "\\&amp;", s); gsub(/</, "\\&lt;", s); gsub(/>/, "\\&gt;", s); gsub(/"/, "\\&quot;", s)
  return s
}
# Pixels that s takes in the widest usual font: too much room is only air, too little is an overlap.
function width(s,    i, c, code, sum) {
  gsub(/[^ -~]+/, "\001", s)
  for (i = 1; i <= length(s); i++) {
    c = substr(s, i, 1)
    if (c == "`") code = !code
    else if (code) sum += 57
    else if (index(" ijl.,:;'|!", c)) sum += 33
    else if (index("ftrI()[]{}/-\"", c)) sum += 43
    else if (index("mwMW@%\001", c)) sum += 97
    else sum += index("ABCDEFGHJKLNOPQRSTUVXYZ0123456789_", c) ? 69 : 61
  }
  return int((sum * 14 + 99) / 100)
}
# Breaks s at \n, and before a line passes `limit`, into wrapped[1..n]; the widest: wrapped_width.
function wrap(s, limit,    parts, words, i, j, n, m, k, line, code, more) {
  wrapped_width = n = code = 0
  m = split(s, parts, /\\n/)
  for (i = 1; i <= m; i++) {
    k = split(parts[i], words, " ")
    line = code ? "`" : ""
    for (j = 1; j <= k; j++) {
      more = (line == "" || line == "`") ? line words[j] : line " " words[j]
      if (width(more) > limit && more != line words[j]) {
        wrapped[++n] = line (code ? "`" : "")
        more = (code ? "`" : "") words[j]
      }
      line = more
      if (gsub(/`/, "`", words[j]) % 2) code = !code
    }
    wrapped[++n] = line (code ? "`" : "")
  }
  for (i = 1; i <= n; i++) wrapped_width = max(wrapped_width, width(wrapped[i]))
  return n
}
# One line of text; what stands between backticks is code.
function text(x, y, anchor, class, s,    parts, n, i, inner) {
  n = split(s, parts, "`")
  for (i = 1; i <= n; i++) {
    if (parts[i] == "") continue
    if (i % 2) inner = inner escaped(parts[i])
    else inner = inner "<tspan class=\"code\">" escaped(parts[i]) "</tspan>"
  }
  layer[4] = layer[4] "<text x=\"" x "\" y=\"" y "\" class=\"" anchor " " class "\">" \
    inner "</text>\n"
}
function rect(z, x, y, w, h, round, class) {
  layer[z] = layer[z] "<rect x=\"" x "\" y=\"" y "\" width=\"" w "\" height=\"" h "\" rx=\"" round \
    "\" class=\"" class "\"/>\n"
}
function path(z, d, class) { layer[z] = layer[z] "<path d=\"" d "\" class=\"" class "\"/>\n" }
# What wrap() left, centred on (x, y) over a patch that hides the lines below it.
function label(x, y, n,    i) {
  if (!n) return
  rect(4, x - int(wrapped_width / 2) - 4, y - n * 9 - 1, wrapped_width + 8, n * 18 + 2, 3, "patch")
  for (i = 1; i <= n; i++) text(x, y - n * 9 + i * 18 - 4, "mid", "", wrapped[i])
}
function box(z, x, y, w, h, s, limit, class,    n, i) {
  n = wrap(s, limit)
  rect(z, x, y, w, h, 5, class)
  for (i = 1; i <= n; i++)
    text(x + int(w / 2), y + int(h / 2) - n * 9 + i * 18 - 4, "mid", "", wrapped[i])
}
# Takes the {marks} from the end of s: mark_class and mark_span say what they were.
function marks(s, line,    words, n, i) {
  mark_class = ""
  mark_span = 1
  if (match(s, /\{[a-z0-9 ]*\}$/)) {
    n = split(substr(s, RSTART + 1, RLENGTH - 2), words, " ")
    s = trim(substr(s, 1, RSTART - 1))
    for (i = 1; i <= n; i++) {
      if (words[i] == "span" && words[i + 1] > 0) mark_span = words[++i] + 0
      else if (index(" blue green orange red grey none dashed ", " " words[i] " "))
        mark_class = mark_class " " words[i]
      else fail(line, "no mark \"" words[i] \
        "\"; there are: blue green orange red grey none dashed span N")
    }
  }
  return s
}
# "name: text" or "name" or "text" into part_name and part_text.
function part(s) {
  s = part_name = part_text = trim(s)
  if (match(s, /^[A-Za-z0-9_]+:/)) {
    part_name = substr(s, 1, RLENGTH - 1)
    part_text = trim(substr(s, RLENGTH + 1))
  }
}
function rest(from) { return trim(substr($0, index($0, from) + length(from))) }
# Column i (or the space after lane i) would like `natural` pixels and must have `least`.
function want(i, natural, least) {
  wish[i] = max(wish[i], natural)
  need[i] = max(need[i], min(natural, least))
}
# Cuts the widest until the n of them fit into `room`; size[i] is what each gets.
function fit(n, room, line,    cap, i, sum) {
  for (cap = room; cap > 0; cap -= 2) {
    sum = 0
    for (i = 1; i <= n; i++) sum += size[i] = max(min(wish[i], cap), need[i])
    if (sum <= room) return sum
  }
  fail(line, "too wide by " (sum - room) " pixels: use shorter words or fewer columns")
}
function longest_word(s) {
  wrap(s, 1)
  return wrapped_width
}

/^[ \t]*(#|$)/ { next }
{ sub(/[ \t\r]+$/, "") }
$1 == "title" || $1 == "caption" { words_of[$1] = rest($1); next }
what == "" && NF == 1 && /^(sequence|boxes)$/ { what = $1; next }
what == "" { fail(FNR, "the first line says what it is: sequence or boxes") }
$2 ~ /^(->|-->|-x)$/ {
  if (!match($0, /(->|-->|-x)[ \t]+[A-Za-z0-9_]+/)) fail(FNR, "an arrow is: NAME -> NAME: text")
  part(substr($0, RSTART + length($2)))
  to = part_name
  if (!($1 in known)) fail(FNR, "no lane or box before this line is called \"" $1 "\"")
  if (!(to in known)) fail(FNR, "no lane or box before this line is called \"" to "\"")
  if ($1 == to) fail(FNR, "an arrow goes from one to another; a note is: " to ": text")
  kind[++count] = $2
  from_of[count] = $1; to_of[count] = to; line_of[count] = FNR
  said[count] = part_text == to ? "" : part_text
  next
}
what == "sequence" && $1 == "lanes" {
  lanes = split(rest("lanes"), pieces, "|")
  for (i = 1; i <= lanes; i++) {
    part(pieces[i])
    known[part_name] = i
    head[i] = part_text
  }
  next
}
what == "sequence" {
  kind[++count] = $1 ~ /:$/ ? "note" : $1
  line_of[count] = FNR
  if ($1 == "---") { said[count] = rest("---"); next }
  part($1 ~ /^[+-]$/ ? rest($1) : $0)
  if (kind[count] !~ /^[+-]$|^note$/ || !(part_name in known))
    fail(FNR, "neither an arrow, a note (LANE: text), a bar (+ LANE: text, - LANE) nor --- text")
  from_of[count] = part_name
  said[count] = marks(kind[count] == "-" ? "" : part_text, FNR)
  class_of[count] = mark_class
  if (kind[count] == "-" && --open[part_name] < 0) fail(FNR, "no bar is open on \"" part_name "\"")
  if (kind[count] == "+") open[part_name]++
  next
}
$1 == "zone" {
  zone_text[++zones] = marks(rest("zone"), FNR)
  zone_class[zones] = mark_class
  zone_of[rows + 1] = zones
  next
}
$1 == "row" || $1 == "cells" {
  rows++
  row_line[rows] = FNR
  at = 1
  n = split(rest($1), pieces, "|")
  for (i = 1; i <= n; i++) {
    part(marks(trim(pieces[i]), FNR))
    if (trim(pieces[i]) != "") {
      if (part_name in known && part_name != part_text)
        fail(FNR, "two boxes are called \"" part_name "\"")
      b = ++boxes
      known[part_name] = b
      row_of[b] = rows; col_of[b] = at; span_of[b] = mark_span
      said_in[b] = part_text; box_class[b] = mark_class; cell[b] = $1 == "cells"
    }
    at += mark_span
    if (trim(pieces[i]) != "") columns = max(columns, at - 1)
  }
  next
}
{ fail(FNR, "neither row, cells, zone, an arrow (NAME -> NAME: text), title nor caption") }

# Lanes stand side by side, each statement is a row of its own: so nothing can lie over a text.
function sequence(    i, a, b, w, s, left, right, half, lane, x) {
  for (i = 1; i < lanes; i++) {
    half = int((width(head[i]) + width(head[i + 1])) / 2) + 48
    want(i, max(half, 120), max(half, 120))
  }
  left = int(width(head[1]) / 2) + 34
  right = int(width(head[lanes]) / 2) + 34
  for (i = 1; i <= count; i++) {
    s = said[i]
    a = known[from_of[i]]
    if (kind[i] == "note") {
      wrap(s, 190)
      half = int(wrapped_width / 2) + 12
      if (a > 1) want(a - 1, half + 20, half + 20)
      else left = max(left, half + 20)
      if (a < lanes) want(a, half + 20, half + 20)
      else right = max(right, half + 20)
    } else if (kind[i] == "+") {
      wrap(s, 190)
      if (lanes == 1) right = max(right, wrapped_width + 44)
      else want(a < lanes ? a : a - 1, wrapped_width + 44, wrapped_width + 44)
    } else if (kind[i] ~ />|x/) {
      b = max(a, known[to_of[i]])
      a = min(a, known[to_of[i]])
      wrap(s, 9999)
      w = wrapped_width + 48
      for (lane = a; lane < b; lane++)
        want(lane, int(w / (b - a)), int((longest_word(s) + 48) / (b - a)))
    }
  }
  wide = max(left + right + fit(lanes - 1, 760 - left - right, 1), wide)
  x_of[1] = left + int((wide - left - right - fit(lanes - 1, 760 - left - right, 1)) / 2)
  for (i = 1; i < lanes; i++) x_of[i + 1] = x_of[i] + size[i]
  heading()
  for (i = 1; i <= lanes; i++) {
    w = width(head[i]) + 28
    box(3, x_of[i] - int(w / 2), y, w, 34, head[i], w, "head")
  }
  top = y + 34
  y += 50
  for (i = 1; i <= count; i++) step(kind[i], known[from_of[i]], known[to_of[i]], i)
  for (i = 1; i <= lanes; i++) {
    while (depth[i]) bar_end(i)
    path(1, "M" x_of[i] " " top "V" y + 6, "life")
  }
  y += 6
}
function bar_end(a) {
  rect(2, x_of[a] - 6 + 6 * (depth[a] - 1), bar_y[a, depth[a]], 12, y - bar_y[a, depth[a]], 3,
    bar_class[a, depth[a]])
  depth[a]--
}
# Where an arrow touches lane a, which may carry bars, when it comes from or goes to lane b.
function edge(a, b) {
  if (!depth[a]) return x_of[a]
  return b > a ? x_of[a] + 6 * depth[a] : x_of[a] - 6
}
function step(what, a, b, i,    n, k, w, x, to) {
  if (what == "---") {
    n = wrap(said[i], wide - 120)
    path(1, "M20 " y + n * 9 + 2 "H" wide - 20, "divider")
    label(int(wide / 2), y + n * 9 + 2, n)
    y += n * 18 + 16
  } else if (what == "note") {
    n = wrap(said[i], 190)
    w = wrapped_width + 20
    box(3, x_of[a] - int(w / 2), y, w, n * 18 + 10, said[i], 190, "note" class_of[i])
    y += n * 18 + 22
  } else if (what == "+") {
    bar_y[a, ++depth[a]] = y
    bar_class[a, depth[a]] = "bar" class_of[i]
    n = wrap(said[i], 190)
    x = edge(a, a < lanes || lanes == 1 ? a + 1 : a - 1)
    for (k = 1; k <= n; k++)
      text(x + (x < x_of[a] ? -8 : 8), y - 2 + k * 18, x < x_of[a] ? "end" : "start", "",
        wrapped[k])
    y += n * 18 + 10
  } else if (what == "-") {
    bar_end(a)
    y += 10
  } else {
    x = edge(a, b)
    to = edge(b, a) + (b > a ? -2 : 2)
    n = wrap(said[i], max(to - x, x - to) - 30)
    label(int((x + to) / 2), y + n * 9, n)
    y += n * 18 + 6
    path(3, "M" x " " y "H" to, "arrow " kinds[what])
    y += 14
  }
}

# Boxes stand in columns that all rows share, so that a marker is above the slot that it marks.
function picture_of_boxes(    i, b, c, r, w, n, z, zone_top, used) {
  for (b = 1; b <= boxes; b++) {
    wrap(said_in[b], 9999)
    box_wide[b] = wrapped_width + 24
    if (cell[b] && span_of[b] == 1 && box_class[b] !~ /none/)
      row_wide[row_of[b]] = max(row_wide[row_of[b]], box_wide[b])
  }
  for (b = 1; b <= boxes; b++) {
    w = box_wide[b]
    if (cell[b] && span_of[b] == 1 && box_class[b] !~ /none/) w = row_wide[row_of[b]]
    for (c = col_of[b]; c < col_of[b] + span_of[b]; c++)
      want(c, int(w / span_of[b]), int((longest_word(said_in[b]) + 24) / span_of[b]))
  }
  for (c = 0; c <= columns; c++) gap[c] = 24
  for (i = 1; i <= count; i++) place_arrow(i)
  used = 40
  for (z = 1; z <= zones; z++) {
    wrap(zone_text[z], 100)
    if (zone_text[z] != "") gutter = max(gutter, wrapped_width + 24)
  }
  for (c = 0; c <= columns; c++) used += gap[c]
  c = fit(columns, 760 - used - gutter, 1) + used + gutter
  wide = max(wide, c)
  x_of[1] = int((wide - c) / 2) + 20 + gutter + gap[0]
  for (c = 1; c < columns; c++) x_of[c + 1] = x_of[c] + size[c] + gap[c]
  for (b = 1; b <= boxes; b++) {
    c = col_of[b] + span_of[b] - 1
    x1[b] = x_of[col_of[b]] - (cell[b] ? int(gap[col_of[b] - 1] / 2) : 0)
    x2[b] = x_of[c] + size[c] + (cell[b] ? int(gap[c] / 2) : 0)
    n = wrap(said_in[b], x2[b] - x1[b] - 14)
    row_high[row_of[b]] = max(row_high[row_of[b]], n * 18 + 18)
    if (!cell[b]) loose[row_of[b]] = 1
  }
  for (i = 1; i <= count; i++) aim(i)
  heading()
  for (r = 1; r <= rows; r++) {
    if (r in zone_of) {
      z = zone_of[r]
      zone_top = y
      if (zone_text[z] != "") y += 12
    }
    row_top[r] = y
    y += row_high[r]
    if (zone_text[z] != "" && (r == rows || (r + 1) in zone_of)) {
      y += 12
      rect(1, 16, zone_top, wide - 32, y - zone_top, 8, "zone" zone_class[z])
      n = wrap(zone_text[z], 100)
      for (i = 1; i <= n; i++)
        text(28, int((zone_top + y) / 2) - n * 9 + i * 18 - 4, "start", "strong", wrapped[i])
    }
    y += between(r)
  }
  for (b = 1; b <= boxes; b++)
    box(2, x1[b], row_top[row_of[b]], x2[b] - x1[b], row_high[row_of[b]], said_in[b],
      x2[b] - x1[b] - 14, "box" box_class[b])
  for (i = 1; i <= count; i++) draw_arrow(i)
}

# How arrow i goes: beside (to the next box), down (to the next row) or under (below its own row).
function place_arrow(i,    a, b, c, left, right) {
  a = known[from_of[i]]
  b = known[to_of[i]]
  if (row_of[a] != row_of[b]) {
    if (row_of[a] - row_of[b] != 1 && row_of[b] - row_of[a] != 1)
      fail(line_of[i], "an arrow goes to a box in the same row or the one above or below")
    route[i] = "down"
    above[i] = min(row_of[a], row_of[b])
    pair[i] = pairs[min(a, b), max(a, b)]++
  } else {
    left = col_of[a] < col_of[b] ? a : b
    right = a + b - left
    route[i] = right == left + 1 && !cell[a] ? "beside" : "under"
    above[i] = row_of[a]
  }
  if (route[i] == "beside") {
    wrap(said[i], 130)
    c = col_of[left] + span_of[left] - 1
    gap[c] = max(gap[c], said[i] == "" ? 44 : wrapped_width + 36)
  } else arrows_in[above[i]]++
}
# Where arrow i leaves and arrives: straight down where the boxes allow it.
function aim(i,    a, b, low, high, n) {
  a = known[from_of[i]]
  b = known[to_of[i]]
  low = max(x1[a], x1[b])
  high = min(x2[a], x2[b])
  n = pairs[min(a, b), max(a, b)]
  if (route[i] == "beside") {
    ax[i] = x1[a] < x1[b] ? x2[a] : x1[a]
    bx[i] = x1[a] < x1[b] ? x1[b] - 2 : x2[b] + 2
  } else if (route[i] == "down" && high - low >= 16) {
    ax[i] = bx[i] = low + int((high - low) * (pair[i] + 1) / (n + 1))
  } else {
    ax[i] = max(x1[a] + 14, min(x2[a] - 14, int((x1[b] + x2[b]) / 2)))
    bx[i] = max(x1[b] + 14, min(x2[b] - 14, int((x1[a] + x2[a]) / 2)))
    if (route[i] == "under") { ax[i] = int((x1[a] + x2[a]) / 2); bx[i] = int((x1[b] + x2[b]) / 2) }
  }
}
# The height of the space below row r. Labels that would touch each other get levels of their own.
function between(r,    i, k, l, n, room, low, high, levels, total, level_high, taken, first, last) {
  if (!arrows_in[r] && r == rows) return 0
  if (!arrows_in[r]) return (r + 1) in zone_of ? 16 : loose[r] || loose[r + 1] ? 20 : 0
  for (i = 1; i <= count; i++) {
    if (above[i] != r || route[i] == "beside") continue
    room = 200
    for (k = 1; k <= count; k++)
      if (k != i && above[k] == r && route[k] == "down" && route[i] == "down" && ax[k] != ax[i])
        room = min(room, 2 * (max(ax[k] - ax[i], ax[i] - ax[k]) - 12))
    if (route[i] == "under") room = max(room, max(ax[i] - bx[i], bx[i] - ax[i]) - 50)
    label_room[i] = max(room, longest_word(said[i]))
    n = wrap(said[i], label_room[i])
    if (!n && route[i] == "down") continue
    low = min(min(ax[i], bx[i]), int((ax[i] + bx[i] - wrapped_width) / 2)) - 8
    high = max(max(ax[i], bx[i]), int((ax[i] + bx[i] + wrapped_width) / 2)) + 8
    for (l = 1; l <= levels; l++) {
      for (k = 1; k <= taken[l] && (high < first[l, k] || low > last[l, k]); k++) ;
      if (k > taken[l]) break
    }
    levels = max(levels, l)
    first[l, ++taken[l]] = low
    last[l, taken[l]] = high
    level_of[i] = l
    level_high[l] = max(level_high[l], n * 18 + 6)
  }
  for (i = 1; i <= count; i++) {
    if (above[i] != r || !level_of[i]) continue
    label_y[i] = y + 12
    for (l = 1; l < level_of[i]; l++) label_y[i] += level_high[l]
    label_y[i] += int(level_high[l] / 2)
  }
  for (l = 1; l <= levels; l++) total += level_high[l]
  return max(total + 28, 36)
}
function draw_arrow(i,    a, b, n, down, from, to, x) {
  a = known[from_of[i]]
  b = known[to_of[i]]
  if (route[i] == "beside") {
    from = row_top[row_of[a]] + int(row_high[row_of[a]] / 2)
    path(3, "M" ax[i] " " from "H" bx[i], "arrow " kinds[kind[i]])
    n = wrap(said[i], 130)
    label(int((ax[i] + bx[i]) / 2), from - n * 9 - 5, n)
    return
  }
  down = row_of[a] <= row_of[b]
  from = row_top[row_of[a]] + (down ? row_high[row_of[a]] : 0)
  to = row_top[row_of[b]] + (row_of[b] > row_of[a] ? -2 : row_high[row_of[b]] + 2)
  n = wrap(said[i], label_room[i])
  if (route[i] == "under") {
    path(3, "M" ax[i] " " from "V" label_y[i] "H" bx[i] "V" to, "arrow " kinds[kind[i]])
    x = int((ax[i] + bx[i]) / 2)
  } else {
    path(3, "M" ax[i] " " from "L" bx[i] " " to, "arrow " kinds[kind[i]])
    x = ax[i] + int((bx[i] - ax[i]) * (label_y[i] - from) / (to - from))
  }
  label(x, label_y[i], n)
}
function heading(    n, i) {
  n = wrap(words_of["title"], wide - 60)
  for (i = 1; i <= n; i++) text(int(wide / 2), y + i * 20 - 4, "mid", "title", wrapped[i])
  if (n) y += n * 20 + 14
}
function marker(id, size, d) {
  printf "<marker id=\"%s\" viewBox=\"0 0 10 10\" refX=\"%s\" refY=\"5\" markerWidth=\"%s\" ", id,
    id == "x" ? 5 : 9, size
  printf "markerHeight=\"%s\" markerUnits=\"userSpaceOnUse\" orient=\"auto\">%s</marker>\n", size, d
}

END {
  if (failed) exit 1
  if (what == "") fail(NR, "the first line says what it is: sequence or boxes")
  if (what == "sequence" && !lanes) fail(NR, "a sequence needs a line: lanes NAME: text | ...")
  if (what == "boxes" && !boxes) fail(NR, "boxes need a line: row NAME: text | text")
  kinds["->"] = "solid"
  kinds["-->"] = "dash"
  kinds["-x"] = "cross"
  y = 18
  wide = min(760, max(360, int(width(words_of["title"]) * 6 / 5) + 60))
  if (what == "sequence") sequence()
  else picture_of_boxes()
  n = wrap(words_of["caption"], wide - 60)
  if (n) y += 14
  for (i = 1; i <= n; i++) text(int(wide / 2), y + i * 18 - 4, "mid", "quiet", wrapped[i])
  y += n * 18 + 18
  printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" ", wide, y
  printf "viewBox=\"0 0 %d %d\" role=\"img\">\n", wide, y
  print "<title>" escaped(words_of["title"]) "</title>"
  # The ground is always white, for a page's dark mode does not reach into an <img>.
  print "<style>"
  print "text{font:14px system-ui,-apple-system,\"Segoe UI\",Helvetica,Arial,sans-serif}"
  print "text{fill:#1f2328}"
  print ".code{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,\"DejaVu Sans Mono\",monospace}"
  print ".mid{text-anchor:middle}.end{text-anchor:end}.strong{font-weight:600}"
  print ".title{font-size:16px;font-weight:600}.quiet{font-size:13px;fill:#59636e}"
  print "rect,path{stroke-width:1.2}path{fill:none}.ground,.patch{fill:#fff}.ground{stroke:#d1d9e0}"
  print ".life{stroke:#afb8c1;stroke-dasharray:2 4}.divider{stroke:#d1d9e0;stroke-dasharray:6 4}"
  print ".arrow{stroke:#424a53;stroke-width:1.6}.solid,.dash{marker-end:url(#tip)}"
  print ".dash{stroke-dasharray:6 4}.cross{stroke:#cf222e;marker-end:url(#x)}"
  print ".box,.head{fill:#f6f8fa;stroke:#6e7781}.head{fill:#eaeef2}"
  print ".note{fill:#fff8c5;stroke:#d4a72c}"
  print ".zone{fill:#f6f8fa;stroke:#d1d9e0}.zone~.box{fill:#fff}.bar{fill:#ffd8b5;stroke:#bc4c00}"
  print ".blue{fill:#ddf4ff!important;stroke:#0969da}.green{fill:#dafbe1!important;stroke:#1a7f37}"
  print ".orange{fill:#fff1e5!important;stroke:#bc4c00}.red{fill:#ffebe9!important;stroke:#cf222e}"
  print ".grey{fill:#eaeef2!important;stroke:#afb8c1}.dashed{stroke-dasharray:5 4}"
  print ".none{fill:none!important;stroke:none}"
  print "</style>\n<defs>"
  marker("tip", 10, "<path d=\"M0 1L10 5L0 9Z\" style=\"fill:#424a53\"/>")
  marker("x", 12, "<path d=\"M1 1L9 9M9 1L1 9\" style=\"stroke:#cf222e;stroke-width:2\"/>")
  print "</defs>"
  printf "<rect x=\"1\" y=\"1\" width=\"%d\" height=\"%d\" ", wide - 2, y - 2
  print "rx=\"10\" class=\"ground\"/>"
  printf "%s%s%s%s</svg>\n", layer[1], layer[2], layer[3], layer[4]
}
