# A row of a table of pairs. Each line of the input is a round: our rate, our CPU, their rate, their
# CPU. title: of the row; widths: of the title's column and of a CPU's.
function median(list, count,   i, j, kept) {
  for (i = 2; i <= count; ++i) {
    kept = list[i]
    for (j = i; j > 1 && list[j - 1] > kept; --j) list[j] = list[j - 1]
    list[j] = kept
  }
  return count % 2 ? list[(count + 1) / 2] : (list[count / 2] + list[count / 2 + 1]) / 2
}
{
  our_rate[NR] = $1
  our_cpu[NR] = $2
  their_rate[NR] = $3
  their_cpu[NR] = $4
  rates[NR] = ($3 > 0 ? $1 / $3 : 0)
  cpus[NR] = ($4 > 0 ? $2 / $4 : 0)
}
END {
  split(widths, width, " ")
  printf "%-*s%10.0f%10.0f%8.2f", width[1], title, median(our_rate, NR), median(their_rate, NR),
    median(rates, NR)
  printf "%*.1f%*.1f%8.2f\n", width[2], median(our_cpu, NR), width[2], median(their_cpu, NR),
    median(cpus, NR)
}
