#!/bin/sh
# report.sh FOLDER: one HTML page of all benchmarks, on stdout. FOLDER/parts names them, a line
# each: how it ended, its folder, its title. Pictures are inside the page; the data stays beside it.
set -eu
cd "$1"

escape() { sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g'; }

# How a part ended, in words.
words() {
  case $1 in below) echo 'below a target' ;; *) echo "$1" ;; esac
}

# The figures' lines begin with "# " in a lesson's output, where no test compares them.
plain() { sed 's/^# //' "$1" | escape; }

cat <<'HTML'
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>io_uring lab: benchmarks</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; background: #fff }
pre { background: #f4f4f4; padding: .8rem; overflow-x: auto; font-size: 13px; line-height: 1.35 }
img { max-width: 100%; border: 1px solid #ddd; margin: .4rem 0 }
table { border-collapse: collapse } td, th { text-align: left; padding: .15rem .8rem .15rem 0 }
.failed, .below { color: #b00020; font-weight: bold } .skipped { color: #806000 }
h2 { margin-top: 2.5rem; border-top: 1px solid #ddd; padding-top: 1rem }
</style></head><body>
<h1>io_uring lab: benchmarks</h1>
HTML
memory=$(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)
price=$(sed -n 's/.*a system call  *\([0-9]* ns\).*/\1/p' doctor.txt)
processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
cat <<HTML
<table>
<tr><th>date</th><td>$(date -u '+%Y-%m-%d %H:%M') UTC</td></tr>
<tr><th>kernel</th><td>$(uname -sr | escape)</td></tr>
<tr><th>processor</th><td>$(printf '%s' "$processor" | escape), $(nproc) here, $memory</td></tr>
<tr><th>a system call takes</th><td>$price</td></tr>
<tr><th>load at the end</th><td>$(cut -d' ' -f1-3 /proc/loadavg)</td></tr>
</table>
<p>Short runs, for a first look: rounds are interleaved, figures are medians, brackets hold the 95 %
interval. An interval that holds 1.00 says: no difference was seen. Longer runs of one part:
<code>./lab bench echo</code>, <code>./lab bench 05/03</code>. The data is in the folder of each
part, beside this page.</p>
<h2>Parts</h2><table>
HTML
while IFS='	' read -r ended part title; do
  printf '<tr><td><a href="#%s">%s</a></td><td>%s</td><td class="%s">%s</td></tr>\n' \
    "$part" "$part" "$(printf '%s' "$title" | escape)" "$ended" "$(words "$ended")"
done <parts
echo '</table>'
while IFS='	' read -r ended part title; do
  printf '<h2 id="%s">%s: %s</h2>\n' "$part" "$part" "$(printf '%s' "$title" | escape)"
  [ "$ended" = ran ] || printf '<p class="%s">%s</p>\n' "$ended" "$(words "$ended")"
  for picture in "$part"/*.svg; do
    [ -f "$picture" ] || continue
    printf '<img alt="%s" src="data:image/svg+xml;base64,' "${picture#*/}"
    base64 -w 0 "$picture"
    printf '">\n'
  done
  printf '<pre>'
  plain "$part/output.txt"
  printf '</pre>\n<p>data:'
  for data in "$part"/*; do
    case $data in *.svg | *.gp | *.log) continue ;; esac
    printf ' <a href="%s">%s</a>' "$data" "${data#*/}"
  done
  printf '</p>\n'
done <parts
cat <<HTML
<h2>What this machine can do</h2>
<details><summary>./lab doctor</summary><pre>$(escape <doctor.txt)</pre></details>
</body></html>
HTML
