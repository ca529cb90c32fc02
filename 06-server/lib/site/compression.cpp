#include "06-server/lib/site/compression.hpp"

#include <brotli/decode.h>
#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

#include "01-core/lib/assert.hpp"

namespace lab {

namespace {

using Bytes = std::span<const std::byte>;

constexpr int gzip_window = 15 + 16;  // the largest, and gzip's header: zlib.h, deflateInit2
constexpr int zstd_window = 23;       // RFC 9659: clients need not take more than 8 MiB

struct Levels {
  int gzip;
  int brotli;
  int brotli_window;
  int zstd;
};

Levels levels_of(Effort effort, std::size_t size) {
  switch (effort) {
    case Effort::none:
    case Effort::fast:
      return {.gzip = 6, .brotli = 5, .brotli_window = BROTLI_DEFAULT_WINDOW, .zstd = 3};
    case Effort::good:
      break;
    case Effort::best:
      return {.gzip = 9, .brotli = 11, .brotli_window = BROTLI_DEFAULT_WINDOW, .zstd = 19};
  }
  // Between 5 and 9, brotli's tables for windows above 16 bits grow by the level, to 32 MiB, and
  // touching them takes longer than the work on a small file. With 16 bits they are small.
  const bool small = size <= 128U << 10;
  return {.gzip = 9,
          .brotli = small ? 9 : 7,
          .brotli_window = small ? 16 : BROTLI_DEFAULT_WINDOW,
          .zstd = 12};
}

// zlib takes what it only reads as a pointer to bytes that may change.
Bytef* zlib_input(Bytes bytes) {
  return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
}

// zlib counts in 32 bits.
uInt zlib_size(std::size_t size) {
  LAB_ASSERT(size <= UINT32_MAX);
  return static_cast<uInt>(size);
}

/// @return the bytes written, 0 when they do not fit
std::size_t gzip(Bytes plain, int level, std::span<std::byte> room) {
  z_stream stream{};
  if (deflateInit2(&stream, level, Z_DEFLATED, gzip_window, 9, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::bad_alloc();
  }
  stream.next_in = zlib_input(plain);
  stream.avail_in = zlib_size(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(room.data());
  stream.avail_out = zlib_size(room.size());
  const int result = deflate(&stream, Z_FINISH);
  const std::size_t size = stream.total_out;
  deflateEnd(&stream);
  return result == Z_STREAM_END ? size : 0;
}

std::size_t brotli(Bytes plain, int level, int window, std::span<std::byte> room) {
  std::size_t size = room.size();
  const BROTLI_BOOL done =
      BrotliEncoderCompress(level, window, BROTLI_MODE_GENERIC, plain.size(),
                            reinterpret_cast<const std::uint8_t*>(plain.data()), &size,
                            reinterpret_cast<std::uint8_t*>(room.data()));
  return done == BROTLI_TRUE ? size : 0;
}

std::size_t zstd(Bytes plain, int level, std::span<std::byte> room) {
  struct Free {
    void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
  };
  const std::unique_ptr<ZSTD_CCtx, Free> context(ZSTD_createCCtx());
  if (context == nullptr) throw std::bad_alloc();
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
  if (plain.size() > std::size_t{1} << zstd_window) {
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, zstd_window);
  }
  const std::size_t size =
      ZSTD_compress2(context.get(), room.data(), room.size(), plain.data(), plain.size());
  return ZSTD_isError(size) != 0 ? 0 : size;
}

// What comes out of a decoder, compared with what should.
class Compare {
 public:
  explicit Compare(Bytes expected) : rest_(expected), buffer_(64 << 10) {}

  std::span<std::byte> room() { return buffer_; }
  /// @return false when the first `size` bytes of room() are not what comes next
  bool next(std::size_t size) {
    if (size > rest_.size() || std::memcmp(buffer_.data(), rest_.data(), size) != 0) return false;
    rest_ = rest_.subspan(size);
    return true;
  }
  bool at_end() const { return rest_.empty(); }

 private:
  Bytes rest_;
  std::vector<std::byte> buffer_;
};

bool gzip_holds(Bytes packed, Compare& compare) {
  z_stream stream{};
  if (inflateInit2(&stream, gzip_window) != Z_OK) throw std::bad_alloc();
  stream.next_in = zlib_input(packed);
  stream.avail_in = zlib_size(packed.size());
  int result = Z_OK;
  bool same = true;
  while (same && result == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(compare.room().data());
    stream.avail_out = zlib_size(compare.room().size());
    result = inflate(&stream, Z_NO_FLUSH);
    same = compare.next(compare.room().size() - stream.avail_out);
  }
  // Many clients stop at the first member's end: bytes behind it are none of the content.
  const bool whole = result == Z_STREAM_END && stream.avail_in == 0;
  inflateEnd(&stream);
  return same && whole;
}

bool brotli_holds(Bytes packed, Compare& compare) {
  struct Free {
    void operator()(BrotliDecoderState* state) const noexcept {
      BrotliDecoderDestroyInstance(state);
    }
  };
  const std::unique_ptr<BrotliDecoderState, Free> state(
      BrotliDecoderCreateInstance(nullptr, nullptr, nullptr));
  if (state == nullptr) throw std::bad_alloc();
  const auto* next_in = reinterpret_cast<const std::uint8_t*>(packed.data());
  std::size_t in_left = packed.size();
  BrotliDecoderResult result = BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
  while (result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT) {
    auto* next_out = reinterpret_cast<std::uint8_t*>(compare.room().data());
    std::size_t out_left = compare.room().size();
    result = BrotliDecoderDecompressStream(state.get(), &in_left, &next_in, &out_left, &next_out,
                                           nullptr);
    if (!compare.next(compare.room().size() - out_left)) return false;
  }
  return result == BROTLI_DECODER_RESULT_SUCCESS && in_left == 0;
}

bool zstd_holds(Bytes packed, Compare& compare) {
  struct Free {
    void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
  };
  const std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
  if (context == nullptr) throw std::bad_alloc();
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, zstd_window);
  ZSTD_inBuffer in{.src = packed.data(), .size = packed.size(), .pos = 0};
  for (;;) {
    ZSTD_outBuffer out{.dst = compare.room().data(), .size = compare.room().size(), .pos = 0};
    const std::size_t left = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(left) != 0 || !compare.next(out.pos)) return false;
    if (left == 0) return in.pos == in.size;
    if (in.pos == in.size && out.pos < out.size) return false;  // it ends in the middle
  }
}

}  // namespace

std::string_view coding_name(Coding coding) {
  switch (coding) {
    case Coding::identity:
      break;
    case Coding::gzip:
      return "gzip";
    case Coding::brotli:
      return "br";
    case Coding::zstd:
      return "zstd";
  }
  return "identity";
}

std::string_view coding_suffix(Coding coding) {
  switch (coding) {
    case Coding::identity:
      break;
    case Coding::gzip:
      return ".gz";
    case Coding::brotli:
      return ".br";
    case Coding::zstd:
      return ".zst";
  }
  return "";
}

std::vector<std::byte> compressed(Coding coding, Bytes plain, Effort effort, std::size_t size_max) {
  LAB_ASSERT(coding != Coding::identity);
  LAB_ASSERT(effort != Effort::none);
  std::vector<std::byte> body(size_max);
  const Levels level = levels_of(effort, plain.size());
  std::size_t size = 0;
  if (size_max != 0) {
    size = coding == Coding::gzip     ? gzip(plain, level.gzip, body)
           : coding == Coding::brotli ? brotli(plain, level.brotli, level.brotli_window, body)
                                      : zstd(plain, level.zstd, body);
  }
  body.resize(size);
  return body;
}

bool holds(Coding coding, Bytes packed, Bytes plain) {
  LAB_ASSERT(coding != Coding::identity);
  Compare compare(plain);
  const bool right = coding == Coding::gzip     ? gzip_holds(packed, compare)
                     : coding == Coding::brotli ? brotli_holds(packed, compare)
                                                : zstd_holds(packed, compare);
  return right && compare.at_end();
}

}  // namespace lab
