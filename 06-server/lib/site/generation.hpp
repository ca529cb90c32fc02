// A site as it was when it was built: one piece of read-only memory, and descriptors of what is
// streamed. It never changes, so any number of processes share one.
//
// How it travels. The memory is a memfd, positions in it are offsets, so it may lie anywhere:
//  - At the start the supervisor builds it before it forks: each worker inherits the mapping, the
//    tables made below, and the descriptors, which keep their numbers. N workers, one copy. A
//    worker that is started again gets the newest the same way. What closes descriptors after the
//    fork has to leave descriptors() open.
//  - On SIGHUP, or when a SiteWatch says so, the supervisor starts a SiteBuild: a child process,
//    since building takes seconds and threads, and the supervisor forks, which it may only do with
//    one thread. The child sends a SiteParcel, or the reason why there is none; then the old
//    generation stays. The supervisor packs one parcel a worker and passes it over the control
//    socket: one descriptor. The worker unpacks it without waiting, for all of it lies in a queue.
//  - The worker makes a Generation of it and gives it to its Site. Answers begun go on with the old
//    one; it dies when the last segment of it does.
//
// Lifetime: outlives its segments. Site sees to that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "02-files/lib/fd.hpp"
#include "06-server/lib/protocol/http/resource.hpp"
#include "06-server/lib/protocol/segment.hpp"
#include "06-server/lib/site/site_format.hpp"

namespace lab {

/// What a generation is made of, on its way.
struct SiteFiles {
  Fd memory;                 ///< a memfd that cannot shrink
  std::vector<Fd> streamed;  ///< in the order of its table
};

/// For one thread. Its segments count themselves.
class Generation : public SegmentOwner {
 public:
  /// Maps it and makes the tables of pointers that find() answers with, about 100 bytes a variant.
  /// @throws std::system_error when there is no memory; SiteError when it is none of ours
  explicit Generation(SiteFiles files);
  ~Generation();

  /// As resource.hpp says. Takes no memory.
  Found find(std::string_view decoded_path) const noexcept;

  /// The operator's fields and CORS, for answers that are no file: errors, redirects.
  std::string_view common_fields() const noexcept;
  /// For an OPTIONS request with Access-Control-Request-Method; empty without --cors.
  std::string_view preflight_fields() const noexcept;

  /// Bytes of it that keep it alive, as a segment that is sent. REQUIRES: bytes of it, or none.
  Segment segment(std::span<const std::byte> bytes) noexcept;
  /// True for an address in its memory.
  bool contains(const void* position) const noexcept;
  /// No segment of it is left.
  bool at_rest() const noexcept { return segments_ == 0; }

  /// A path that answers with a file, for whoever looks for one to try: "/" where that does, else
  /// the shortest of all. Decoded; it lives as long as the generation.
  std::string_view example_path() const noexcept;
  /// Files that it was built from.
  std::uint64_t files_count() const noexcept { return header().files; }
  /// Bytes of memory; streamed files are not among them.
  std::uint64_t size() const noexcept { return size_; }
  /// All that it keeps open, for whoever closes the others after a fork.
  std::vector<int> descriptors() const;
  /// The descriptors that it was made of, still its own.
  const SiteFiles& files() const noexcept { return files_; }

  /// Lets io_uring pin the memory as a registered buffer, which asks for a mapping that can be
  /// written (io_uring_register(2); a read-only one is EFAULT): it is one while `registers` runs.
  /// What is registered stays so.
  /// @param registers called with the memory
  /// @return what it returns
  template <class Registers>
  auto registered_by(const Registers& registers) const {
    const Writable writable(*this);
    return registers(std::span<const std::byte>(memory_, size_));
  }

 private:
  class Writable {
   public:
    explicit Writable(const Generation& generation);
    ~Writable();
    Writable(const Writable&) = delete;
    Writable& operator=(const Writable&) = delete;

   private:
    const Generation& generation_;
  };

  static void add_segment(SegmentOwner& owner, std::uint32_t id) noexcept;
  static void drop_segment(SegmentOwner& owner, std::uint32_t id) noexcept;

  const SiteHeader& header() const noexcept;
  template <class Record>
  std::span<const Record> table(Stretch stretch) const noexcept;
  std::string_view text(Stretch stretch) const noexcept;
  void check_header() const;
  void make_tables();
  const RouteRecord* route(std::string_view path) const noexcept;
  const Resource* resource(std::uint32_t index) const noexcept;
  bool falls_back(std::string_view path) const noexcept;

  SiteFiles files_;
  const std::byte* memory_ = nullptr;
  std::uint64_t size_ = 0;
  std::span<const RouteRecord> routes_;
  std::vector<Variant> variants_;
  std::vector<Resource> resources_;
  std::uint64_t segments_ = 0;
};

}  // namespace lab
