# The rings of a running process. Sourced by lab.

# trace_process PID [flags]
trace_process() {
  case ${1:-} in
    '') die "trace which process? For example: ./lab trace \$(pgrep -n echo-server)" ;;
    -h | --help) ;;
    *[!0-9]*) die "\"$1\" is not a process number. One by its name: ./lab trace \$(pgrep -n $1)" ;;
  esac
  need run
  build release ring-trace
  launch ring-trace "$@"
}
