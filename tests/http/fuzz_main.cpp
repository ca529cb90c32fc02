// libFuzzer's entry; LAB_FUZZ names the target. Configured with -DCMAKE_CXX_COMPILER=clang++ and
// -DCMAKE_CXX_FLAGS=-fsanitize=fuzzer-no-link,address, so that libFuzzer sees into the components:
//   cmake --build build/fuzz --target http-fuzz-connection
//   build/fuzz/bin/http-fuzz-connection -max_total_time=60
#include <cstddef>
#include <cstdint>

#include "tests/http/fuzz_targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  lab::test::LAB_FUZZ({reinterpret_cast<const char*>(data), size});
  return 0;
}
