// The other codings of a file: siblings that the operator made, else what compresses well.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "06-server/lib/site/generation.hpp"
#include "06-server/lib/site/site_loader.hpp"
#include "06-server/lib/site/site_options.hpp"
#include "06-server/lib/site/site_writer.hpp"

namespace lab {

/// A file and those beside it that are called after it and a coding.
struct VariantSource {
  const SourceFile* file = nullptr;         ///< never null when it is asked for
  const LoadedFile* loaded = nullptr;       ///< its body; never null either
  const SourceFile* sibling_files[4] = {};  ///< by coding
  const LoadedFile* siblings[4] = {};       ///< their bodies; null where there is none
  bool is_compressible = false;             ///< its type says that a try may pay
};

/// Any thread may ask.
class SiteVariants {
 public:
  /// REQUIRES: no file is loaded any more, but store() may be called.
  /// @param before the generation that is replaced, whose work is not done again; may be null
  SiteVariants(SiteLoader& loader, const SiteArena& arena, const SiteOptions& options,
               const Generation* before);
  ~SiteVariants();
  SiteVariants(const SiteVariants&) = delete;
  SiteVariants& operator=(const SiteVariants&) = delete;

  /// Identity first, then by size. A sibling that does not hold what the file holds is left out.
  /// @param notes gets a sentence for each sibling that was left out
  /// @throws SiteError when the file has changed, or memory runs out
  std::vector<PlannedVariant> of(const VariantSource& source,
                                 std::vector<std::string>& notes) const;

 private:
  std::span<const std::byte> bytes_of(const LoadedBody& body) const;
  bool takes_sibling(const VariantSource& source, Coding coding,
                     std::span<const std::byte> plain) const;
  void compress_all(const VariantSource& source, std::span<const std::byte> plain,
                    std::vector<PlannedVariant>& variants) const;
  const Variant* made_before(const VariantSource& source, Coding coding) const;

  SiteLoader& loader_;
  const SiteOptions& options_;
  const Generation* before_;
  const std::byte* memory_ = nullptr;
  std::size_t size_;
};

}  // namespace lab
