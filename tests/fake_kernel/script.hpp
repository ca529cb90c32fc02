// What a client says and what it must hear: the oracle of a protocol. A pure function of a key, so
// model, clients and comparison need not remember bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace lab::fake {

/// Which protocol the worker speaks.
enum class Subject : std::uint8_t {
  echo,
  lines,
  http,
  awkward,
  wrapping,
  session,
  limited,
  tls,
  tls_http,
  proxy
};

/// What a client that listens is going to do.
struct Talk {
  std::uint64_t bytes;    ///< that it wants answered
  std::uint32_t message;  ///< bytes at once
  bool one_by_one;        ///< the next when the last one is answered
  bool finishes;          ///< after the last byte
};

class Script {
 public:
  static constexpr std::uint64_t endless = ~std::uint64_t{0};

  virtual ~Script() = default;

  /// Bytes of the client's side from `position` on.
  virtual void say(std::uint64_t position, std::span<std::byte> into) const = 0;
  /// How many of these bytes are what the client must hear at `position`.
  virtual std::size_t agrees(std::uint64_t position, std::span<const std::byte> heard) const = 0;
  /// Bytes of the answer that are due when so many of the client's have been received.
  virtual std::uint64_t due(std::uint64_t received) const = 0;
  /// After so many of the client's bytes the server ends the connection by itself.
  virtual std::uint64_t ends_after() const { return endless; }
  /// Bytes that the client has to say; some after the end are among them.
  virtual std::uint64_t says() const { return endless; }

  /// True where what is said follows from what was heard. Then nobody knows what is due: due() is
  /// not asked, and says() is endless until the last byte is known.
  virtual bool listens() const { return false; }
  virtual void begin(const Talk&) const {}
  /// What the other one says is what is heard here: the two are the ends of a proxy.
  virtual void joins(const Script&) const {}
  /// Bytes that can be said by now, when so many have left.
  virtual std::uint64_t ready(std::uint64_t) const { return says(); }
  /// The server's FIN came behind so many bytes, orderly. False: it may not have come now.
  /// @param all_due whether everything that was said must have been answered
  virtual bool ended(std::uint64_t, bool /*all_due*/) const { return true; }
};

/// One for each protocol; a program of the model links the one that it tests.
std::shared_ptr<const Script> make_script(std::uint64_t key);
extern const Subject subject;
/// It sends back the very buffers that it received, and has none of its own.
inline bool plainly_echoes() noexcept {
  return subject == Subject::echo || subject == Subject::limited;
}
/// Files, in the clear or not.
inline bool serves_http() noexcept {
  return subject == Subject::http || subject == Subject::tls_http;
}
/// Each client has a second connection, which the server has dialled for it.
inline bool dials() noexcept { return subject == Subject::proxy; }
/// What an open file of the model holds: no file system is asked. Nothing: there is no such file.
std::optional<std::string_view> file_content(int fd);

}  // namespace lab::fake
