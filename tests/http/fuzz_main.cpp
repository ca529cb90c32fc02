// libFuzzer's entry; LAB_FUZZ names the target: ./lab fuzz TARGET builds and runs it.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

#include "tests/http/fuzz_targets.hpp"

// What the engine in memory expects of a protocol is said as in a test; here it has to end the run.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  GTEST_FLAG_SET(break_on_failure, true);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  lab::test::LAB_FUZZ({reinterpret_cast<const char*>(data), size});
  return 0;
}
