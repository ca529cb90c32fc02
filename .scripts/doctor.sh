# What can be known about this machine before anything is built. Sourced by lab.

# Returns 0 when nothing seen here keeps the echo server from running.
doctor_without_a_build() {
  doctor_status=0
  kernel=$(uname -r)
  if version_at_least "$kernel" 6.1; then
    doctor_say ok "kernel $kernel"
  else
    doctor_say bad "kernel $kernel: the lab needs Linux 6.1 or newer" \
      "boot a newer kernel; a container uses its host's"
  fi
  disabled=$(cat /proc/sys/kernel/io_uring_disabled 2>/dev/null || echo absent)
  case $disabled$(id -u) in
    0* | absent* | 10) doctor_say ok "io_uring_disabled: $disabled" ;;
    1*) doctor_say bad "io_uring_disabled is 1: for privileged users and one group only" \
      "sudo sysctl kernel.io_uring_disabled=0, or join the group in kernel.io_uring_group" ;;
    *) doctor_say bad "io_uring_disabled is $disabled: switched off" \
      "sudo sysctl kernel.io_uring_disabled=0" ;;
  esac
  case $(awk '/^Seccomp:/ { print $2 }' /proc/self/status 2>/dev/null) in
    2) doctor_say note "a seccomp filter is active: containers block io_uring by default (EPERM)" \
      "docker run --security-opt seccomp=docs/seccomp-io_uring.json; docs/limits.md has the rest" ;;
    *) doctor_say ok "no seccomp filter" ;;
  esac
  doctor_say ok "locked memory (ulimit -l): $(doctor_limit 'Max locked memory') bytes"
  doctor_say ok "open files (ulimit -n): $(doctor_limit 'Max open files')"
  return $doctor_status
}

doctor_limit() {
  awk -v name="$1" 'index($0, name) == 1 { print $(NF - 2) }' /proc/self/limits
}

# doctor_say ok|note|bad WHAT [CURE]
doctor_say() {
  printf '%-5s %s\n' "$1" "$2"
  [ -z "${3:-}" ] || printf '      cure: %s\n' "$3"
  [ "$1" != bad ] || doctor_status=1
}
