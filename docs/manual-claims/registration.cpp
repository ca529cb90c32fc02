// Claims about io_uring_register(2): files, direct descriptors, buffers, restrictions, the rest.
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "docs/manual-claims/probe.hpp"

namespace claims {

namespace {

/// Reads 4 bytes from a slot of the file table.
int read_slot(Probe& probe, int slot) {
  static std::array<char, 4> bytes;
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_read(sqe, slot, bytes.data(), 4, 0);
  Probe::finish(sqe, 1, IOSQE_FIXED_FILE);
  return probe.one_result();
}

Outcome original_may_be_closed() {
  Probe probe;
  Ends ends(Ends::Kind::pipe);
  ends.write("1234");
  const int file = ends.read_end();
  io_uring_register_files(probe.ring(), &file, 1);
  ends.close_read();
  return expect(read_slot(probe, 0), 4);
}

Outcome empty_slot() {
  Probe probe;
  io_uring_register_files_sparse(probe.ring(), 4);
  return expect(read_slot(probe, 2), -EBADF);
}

Outcome files_twice() {
  Probe probe;
  io_uring_register_files_sparse(probe.ring(), 4);
  const int file = 0;
  return expect(io_uring_register_files(probe.ring(), &file, 1), -EBUSY);
}

Outcome unregister_without_files() {
  Probe probe;
  return expect(io_uring_unregister_files(probe.ring()), -ENXIO);
}

Outcome bad_fd_in_the_array() {
  Probe probe;
  const int file = 1 << 20;
  return expect(io_uring_register_files(probe.ring(), &file, 1), -EBADF);
}

Outcome no_files() {
  Probe probe;
  const int file = 0;
  return expect(io_uring_register_files(probe.ring(), &file, 0), -EINVAL);
}

Outcome update_with_skip() {
  Probe probe;
  const Ends ends(Ends::Kind::pipe);
  ends.write("1234");
  const std::array files{ends.read_end(), -1};
  io_uring_register_files(probe.ring(), files.data(), 2);
  const std::array changes{IORING_REGISTER_FILES_SKIP, ends.write_end()};
  const int res = io_uring_register_files_update(probe.ring(), 0, changes.data(), 2);
  const int read = read_slot(probe, 0);
  return {.holds = res >= 0 && read == 4,
          .seen = "update " + name(res) + ", READ of the skipped slot " + name(read)};
}

Outcome tag_is_posted() {
  Probe probe;
  const Ends ends(Ends::Kind::pipe);
  const int file = ends.read_end();
  const __u64 tag = 4711;
  io_uring_register_files_tags(probe.ring(), &file, &tag, 1);
  io_uring_unregister_files(probe.ring());
  const std::vector<Answer> all = probe.answers(1);
  return {.holds = result_of(all, 4711) == 0 && all[0].flags == 0, .seen = words(all)};
}

void open_into(Probe& probe, unsigned slot) {
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_openat_direct(sqe, AT_FDCWD, "/dev/zero", O_RDONLY, 0, slot);
  Probe::finish(sqe, 1);
}

Outcome alloc_returns_the_slot() {
  Probe probe;
  io_uring_register_files_sparse(probe.ring(), 8);
  io_uring_register_file_alloc_range(probe.ring(), 4, 4);
  open_into(probe, IORING_FILE_INDEX_ALLOC);
  return expect(probe.one_result(), 4);
}

Outcome alloc_without_room() {
  Probe probe;
  io_uring_register_files_sparse(probe.ring(), 1);
  open_into(probe, IORING_FILE_INDEX_ALLOC);
  probe.one_result();
  open_into(probe, IORING_FILE_INDEX_ALLOC);
  return expect(probe.one_result(), -ENFILE);
}

Outcome close_with_fixed_file() {
  Probe probe;
  io_uring_register_files_sparse(probe.ring(), 1);
  open_into(probe, 0);
  probe.one_result();
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_close(sqe, 0);
  Probe::finish(sqe, 1, IOSQE_FIXED_FILE);
  const int res = probe.one_result();
  return {.holds = res == 0, .seen = name(res)};
}

Outcome close_by_file_index() {
  Probe probe;
  io_uring_register_files_sparse(probe.ring(), 1);
  open_into(probe, 0);
  probe.one_result();
  io_uring_prep_close_direct(probe.sqe(), 0);
  const int closed = probe.one_result();
  const int read = read_slot(probe, 0);
  return {.holds = closed == 0 && read == -EBADF,
          .seen = "close " + name(closed) + ", READ " + name(read)};
}

int register_buffer(Probe& probe, void* memory, std::size_t size) {
  const iovec buffer{.iov_base = memory, .iov_len = size};
  return io_uring_register_buffers(probe.ring(), &buffer, 1);
}

Outcome buffers_twice() {
  Probe probe;
  std::array<char, 64> bytes{};
  register_buffer(probe, bytes.data(), bytes.size());
  return expect(register_buffer(probe, bytes.data(), bytes.size()), -EBUSY);
}

Outcome buffer_of_a_file() {
  Probe probe;
  const int file = memfd_create("claims", MFD_CLOEXEC);
  if (file < 0 || ftruncate(file, 4096) != 0) return {.holds = false, .seen = "no memfd"};
  void* memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  const int res = register_buffer(probe, memory, 4096);
  munmap(memory, 4096);
  close(file);
  return {.holds = res < 0, .seen = "a mapped memfd: " + name(res)};
}

Outcome buffer_too_large() {
  Probe probe;
  const std::size_t size = (std::size_t{1} << 30) + 4096;
  void* memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  const int res = register_buffer(probe, memory, size);
  munmap(memory, size);
  return expect(res, -EFAULT);
}

Outcome eventfd_tells() {
  Probe probe;
  const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  io_uring_register_eventfd(probe.ring(), event);
  probe.nop(1);
  probe.submit_and_answers(1);
  eventfd_t count = 0;
  const bool told = eventfd_read(event, &count) == 0;
  close(event);
  return {.holds = told, .seen = told ? "a notification" : "none"};
}

Outcome async_eventfd_is_silent_inline() {
  Probe probe;
  const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  io_uring_register_eventfd_async(probe.ring(), event);
  probe.nop(1);
  probe.submit_and_answers(1);
  eventfd_t count = 0;
  const bool told = eventfd_read(event, &count) == 0;
  close(event);
  return {.holds = !told, .seen = told ? "a notification" : "none"};
}

io_uring_restriction only(unsigned opcode) {
  io_uring_restriction restriction{};
  restriction.opcode = IORING_RESTRICTION_SQE_OP;
  restriction.sqe_op = static_cast<std::uint8_t>(opcode);
  return restriction;
}

Outcome restrictions_need_a_disabled_ring() {
  Probe probe;
  io_uring_restriction restriction = only(IORING_OP_NOP);
  return expect(io_uring_register_restrictions(probe.ring(), &restriction, 1), -EBADFD);
}

Outcome restricted_operation() {
  Probe probe(IORING_SETUP_R_DISABLED);
  io_uring_restriction restriction = only(IORING_OP_NOP);
  io_uring_register_restrictions(probe.ring(), &restriction, 1);
  io_uring_enable_rings(probe.ring());
  io_uring_prep_close(probe.sqe(), -1);
  return expect(probe.one_result(), -EACCES);
}

Outcome enable_twice() {
  Probe probe;
  return expect(io_uring_enable_rings(probe.ring()), -EBADFD);
}

Outcome workers_are_returned() {
  Probe probe;
  std::array first{3U, 5U};
  io_uring_register_iowq_max_workers(probe.ring(), first.data());
  std::array now{0U, 0U};
  io_uring_register_iowq_max_workers(probe.ring(), now.data());
  return {.holds = now[0] == 3 && now[1] == 5,
          .seen = std::to_string(now[0]) + " and " + std::to_string(now[1])};
}

Outcome sixteen_registered_rings() {
  Probe probe;
  int registered = 0;
  int res = 1;
  std::array<io_uring_rsrc_update, 20> slots{};
  while (res == 1 && registered < 20) {
    auto& slot = slots.at(static_cast<std::size_t>(registered));
    slot = {.offset = ~0U, .resv = 0, .data = static_cast<__u64>(probe.fd())};
    res = io_uring_register(static_cast<unsigned>(probe.fd()), IORING_REGISTER_RING_FDS, &slot, 1);
    if (res == 1) ++registered;
  }
  for (int i = 0; i < registered; ++i) {
    io_uring_register(static_cast<unsigned>(probe.fd()), IORING_UNREGISTER_RING_FDS,
                      &slots.at(static_cast<std::size_t>(i)), 1);
  }
  return {.holds = registered == 16, .seen = std::to_string(registered) + ", then " + name(res)};
}

Outcome resize_needs_defer() {
  Probe probe;
  io_uring_params wanted{};
  wanted.sq_entries = 16;
  wanted.cq_entries = 32;
  return expect(io_uring_resize_rings(probe.ring(), &wanted), -EINVAL);
}
bool has_resize() {
  Probe probe(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
  io_uring_params wanted{};
  wanted.sq_entries = 16;
  wanted.cq_entries = 32;
  return io_uring_resize_rings(probe.ring(), &wanted) == 0;
}

constexpr const char* files = "io_uring_registered_files(7)";
constexpr const char* errors = "io_uring_register(2), ERRORS";

constexpr std::array table{
    Claim{files, "the fd may be closed once it is registered", "register, close, READ by slot",
          Verdict::holds, original_may_be_closed},
    Claim{files, "a slot without a file is an error", "READ of an empty slot", Verdict::holds,
          empty_slot},
    Claim{errors, "files are registered already: EBUSY", "twice", Verdict::holds, files_twice},
    Claim{errors, "unregister without files: ENXIO", "a new ring", Verdict::holds,
          unregister_without_files},
    Claim{errors, "an invalid fd in the array: EBADF", "register a number without a file",
          Verdict::holds, bad_fd_in_the_array},
    Claim{errors, "nr_args 0: EINVAL", "register no files", Verdict::holds, no_files},
    Claim{files, "FILES_SKIP leaves a slot as it is", "update two slots, skip the first",
          Verdict::holds, update_with_skip},
    Claim{files, "a tag comes as a CQE when its file is unregistered, other fields 0",
          "tag 4711, unregister", Verdict::holds, tag_is_posted, nullptr, "6.1 6.12"},
    Claim{files, "FILE_INDEX_ALLOC takes from the alloc range and answers the slot",
          "range 4 to 7, open", Verdict::holds, alloc_returns_the_slot},
    Claim{"io_uring_prep_accept(3)", "FILE_INDEX_ALLOC without room: ENFILE (tried with open)",
          "two opens into a table of 1", Verdict::holds, alloc_without_room},
    Claim{files, "a direct descriptor is closed by CLOSE with FIXED_FILE", "open, then that",
          Verdict::does_not_hold, close_with_fixed_file},
    Claim{"io_uring_prep_close(3)", "it is closed by file_index, without FIXED_FILE",
          "open, io_uring_prep_close_direct, READ", Verdict::holds, close_by_file_index},
    Claim{errors, "buffers are registered already: EBUSY", "twice", Verdict::holds, buffers_twice},
    Claim{"io_uring_register(2), REGISTER_BUFFERS", "a buffer must not be the memory of a file",
          "a mapped memfd", Verdict::does_not_hold, buffer_of_a_file},
    Claim{errors, "a buffer larger than 1 GiB: EFAULT", "1 GiB and 4 KiB", Verdict::holds,
          buffer_too_large},
    Claim{"io_uring_register(2), EVENTFD", "a completion makes the eventfd readable", "a NOP",
          Verdict::holds, eventfd_tells},
    Claim{"io_uring_register(2), EVENTFD_ASYNC", "not for what completes within the submit",
          "a NOP", Verdict::holds, async_eventfd_is_silent_inline},
    Claim{"io_uring_register(2), RESTRICTIONS", "restrictions only on a disabled ring (EBADFD)",
          "on an enabled one", Verdict::holds, restrictions_need_a_disabled_ring},
    Claim{"io_uring_enter(2), CQE ERRORS", "an operation that is not allowed: EACCES",
          "only NOP allowed, CLOSE submitted", Verdict::holds, restricted_operation},
    Claim{errors, "ENABLE_RINGS on a ring that is not disabled: EBADFD", "an enabled one",
          Verdict::holds, enable_twice},
    Claim{"io_uring_register(2), IOWQ_MAX_WORKERS", "0 changes nothing and returns the maximum",
          "set 3 and 5, ask with 0 and 0", Verdict::holds, workers_are_returned},
    Claim{"io_uring_register(2), RING_FDS", "at most 16 registered rings", "one ring, 20 times",
          Verdict::holds, sixteen_registered_rings},
    Claim{"io_uring_setup_flags(7), DEFER_TASKRUN", "ring resizing requires DEFER_TASKRUN",
          "on a plain ring", Verdict::holds, resize_needs_defer, has_resize},
};

}  // namespace

std::span<const Claim> registration_claims() { return table; }

}  // namespace claims
