#!/bin/sh
# ./lab box KERNEL LESSON [arguments]: a lesson, or any program, under another kernel, in a virtual
# machine that needs no rights. KERNEL: 6.1, 6.12, 7.2, or what else Debian has for machines in a
# cloud. See docs/kernels-in-a-box.md.
set -eu

CALLED_FROM=$PWD
LAB_ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
cd "$LAB_ROOT"
. .scripts/common.sh
. .scripts/setup.sh
. .scripts/build.sh
. .scripts/lessons.sh

box=build/box
# Those that a lesson needs and the kernel has not built in. One that is not there is passed over.
MODULES="tls gcm ctr ghash-generic aesni-intel"
MODULE_FOLDERS="net/tls crypto lib/crypto arch/x86/crypto"

main() {
  [ $# -ge 2 ] || die "box which kernel and lesson? For example: ./lab box 7.2 04/16"
  kernel=$1
  wanted=$2
  shift 2
  case $kernel in
    [0-9]*.[0-9]*) ;;
    *) die "\"$kernel\" is no kernel: its first two numbers, for example 7.2" ;;
  esac
  # What is wrong with the words is said before anything is installed.
  lesson=
  if [ ! -f "$CALLED_FROM/$wanted" ] && [ "${wanted#/}" = "$wanted" ]; then
    lesson=$(lesson_find "$wanted")
  fi
  need box
  for tool in qemu-system-x86_64 busybox xz; do
    command -v $tool >/dev/null ||
      die "no $tool. Debian's packages: qemu-system-x86 busybox-static xz-utils"
  done
  if ldd "$(command -v busybox)" >/dev/null 2>&1; then
    die "busybox needs libraries here: install busybox-static in its place"
  fi
  expected=
  if [ -z "$lesson" ]; then
    program=$(CDPATH='' cd -- "$CALLED_FROM" && realpath -- "$wanted")
  else
    need run
    build_quietly release "$(lesson_target "$lesson")"
    program=build/release/bin/$(lesson_target "$lesson")
    [ $# -gt 0 ] || expected=$lesson/expected.txt
  fi
  [ -f "$box/$kernel/vmlinuz" ] || fetch_kernel
  pack_image "$program" "$@"
  boot || { note "box: it did not come to its end, once more" && boot; } ||
    die "box: not within 120 s, twice. The machine's words: $box/serial.txt"
  sed -n '/^box: begin$/,/^box: status /{/^box: /!p;}' $box/serial.txt | tee $box/printed.txt
  status=$(sed -n 's/^box: status //p' $box/serial.txt)
  if [ "$status" = 0 ] && [ -n "$expected" ]; then
    LC_ALL=C awk -v kernel="$kernel" -f .scripts/compare.awk "$expected" $box/printed.txt ||
      status=1
    [ "$status" = 1 ] || note "box: this is what $expected says"
  fi
  exit "$status"
}

# Never installed, only unpacked: build/box/KERNEL gets vmlinuz and modules.
fetch_kernel() {
  [ "$(os_release ID)" = debian ] ||
    die "put a kernel's vmlinuz and its folder of modules into $box/$kernel/{vmlinuz,modules}"
  scratch=$LAB_ROOT/$box/scratch
  mkdir -p "$scratch/state/lists/partial" "$scratch/cache/archives/partial" "$scratch/root"
  own_release=$(os_release VERSION_CODENAME)
  archive=$(apt-get -o "Dir::State::Lists=$scratch/state/lists" --print-uris update 2>/dev/null |
    sed -n "s|^'\(.*\)/dists/$own_release/InRelease'.*|\1|p" | head -n 1)
  for suite in bookworm bookworm-backports trixie forky sid; do
    note "box: looking for Linux $kernel in Debian's $suite"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive $suite main" \
      >"$scratch/sources.list"
    box_apt apt-get -qq update >&2 || continue
    # 6.1 is linux-image-6.1.0-..., and not 6.12. Newer ones have image and modules in two packages.
    pattern="^linux-(image|binary)-$(echo "$kernel" | sed 's/[.]/[.]/g')[.+-].*-cloud-amd64\$"
    names=$(box_apt apt-cache pkgnames linux- | grep -E "$pattern" | grep -v unsigned | sort -V)
    name=$(echo "$names" | grep binary | tail -n 1)
    [ -n "$name" ] || name=$(echo "$names" | tail -n 1)
    if [ -n "$name" ]; then break; fi
  done
  [ -n "$name" ] || die "Debian has no cloud kernel $kernel"
  modules=
  case $name in linux-binary-*) modules=$(echo "$name" | sed 's/-binary-/-modules-/') ;; esac
  note "box: fetching $name${modules:+ and $modules}"
  # shellcheck disable=SC2086 # modules may be no word
  (cd "$scratch" && box_apt apt-get -qq download "$name" $modules) >&2
  for package in "$scratch"/*.deb; do dpkg -x "$package" "$scratch/root"; done
  mkdir -p "$box/$kernel"
  # vmlinuz stands in boot or, in the newer ones, among the modules.
  find "$scratch/root" -name 'vmlinuz*' -type f -exec mv {} "$box/$kernel/vmlinuz" \;
  mv "$(find "$scratch/root" -type d -path '*/modules/[0-9]*' -prune)" "$box/$kernel/modules"
  rm -rf "$scratch"
}

# apt with lists and sources of its own: the system's stay as they are.
box_apt() {
  tool=$1
  shift
  "$tool" -o "Dir::State=$scratch/state" -o "Dir::Cache=$scratch/cache" \
    -o "Dir::Etc::SourceList=$scratch/sources.list" -o Dir::Etc::SourceParts=- \
    -o APT::Sandbox::User="$(id -un)" "$@"
}

# pack_image PROGRAM [arguments]: what the machine starts with. It has no other disk to read.
pack_image() {
  program=$1
  shift
  root=$box/root
  rm -rf "$root"
  mkdir -p "$root/bin" "$root/proc" "$root/sys" "$root/dev" "$root/tmp"
  cp -L "$(command -v busybox)" "$root/bin/busybox"
  cp -L "$program" "$root/bin/program"
  for library in $(ldd "$program" 2>/dev/null | grep -o '/[^ ]*'); do
    cp -L --parents "$library" "$root"
  done
  for folder in $MODULE_FOLDERS; do
    [ -d "$box/$kernel/modules/kernel/$folder" ] || continue
    mkdir -p "$root/modules/$folder"
    cp -r "$box/$kernel/modules/kernel/$folder/." "$root/modules/$folder"
  done
  find "$root/modules" -name '*.xz' -exec xz -d {} +
  cat >"$root/init" <<END
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin LAB_WATCHDOG_S=100
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev
mkdir -p /lib/modules; ln -s /modules "/lib/modules/\$(uname -r)"; depmod -a
for module in $MODULES; do modprobe -q \$module; done
# The kernel looks for drives while this script runs already.
for try in 1 2 3 4 5 6 7 8 9; do [ -b /dev/nvme0n1 ] && break; sleep 0.2; done
mount -t ext4 /dev/nvme0n1 /tmp 2>/dev/null || mount -t tmpfs t /tmp
ip link set lo up; ulimit -n 20000
echo "box: begin"
program $@ 2>&1
echo "box: status \$?"
poweroff -f
END
  chmod +x "$root/init"
  (cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >$box/image.gz
}

# A drive with one poll queue; without KVM, so that it runs anywhere; without cx16, which QEMU 7.2
# emulates wrongly. More processors take turns on one of ours. An open pipe stands for the keyboard.
boot() {
  rm -f $box/disk
  truncate -s 64M $box/disk
  mkfs.ext4 -q -F $box/disk 2>/dev/null || note "box: no mkfs.ext4 here: the drive has no files"
  sleep 0 | timeout 120 qemu-system-x86_64 -accel tcg,thread=single -cpu max,-cx16 \
    -machine q35 -m 512 -smp "${LAB_BOX_CPUS:-1}" -nodefaults -display none -serial stdio \
    -no-reboot -kernel "$box/$kernel/vmlinuz" -initrd $box/image.gz \
    -append "console=ttyS0 quiet loglevel=1 panic=-1 nvme.poll_queues=1" \
    -drive file=$box/disk,if=none,id=disk,format=raw -device nvme,drive=disk,serial=lab |
    tr -d '\r' >$box/serial.txt
  grep -q '^box: status ' $box/serial.txt
}

main "$@"
