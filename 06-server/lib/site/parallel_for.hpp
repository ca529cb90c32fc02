// The same work for each of many things, on several threads. For the start, not for the loop.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace lab {

/// Calls work(index) for each index below `count`, from up to `threads` threads, and report(done)
/// in the calling thread between its own. The first exception ends it, and is thrown here.
template <class Work, class Report>
void parallel_for(std::size_t count, unsigned threads, const Work& work, const Report& report) {
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> done{0};
  std::mutex mutex;
  std::exception_ptr failure;
  const auto take_one = [&]() -> bool {
    const std::size_t index = next.fetch_add(1);
    if (index >= count) return false;
    try {
      work(index);
      done.fetch_add(1);
    } catch (...) {
      next.store(count);  // the others stop after what they are at
      const std::lock_guard lock(mutex);
      if (failure == nullptr) failure = std::current_exception();
      return false;
    }
    return true;
  };
  std::vector<std::thread> helpers;
  const std::size_t helpers_wanted = std::min<std::size_t>(std::max(threads, 1U), count);
  try {
    for (std::size_t number = 1; number < helpers_wanted; ++number) {
      helpers.emplace_back([&] {
        while (take_one()) {
        }
      });
    }
  } catch (const std::system_error&) {
    // No more threads: those that there are do it.
  }
  std::exception_ptr report_failure;
  try {
    while (take_one()) report(done.load());
  } catch (...) {
    next.store(count);
    report_failure = std::current_exception();
  }
  for (std::thread& helper : helpers) helper.join();
  if (report_failure != nullptr) std::rethrow_exception(report_failure);
  if (failure != nullptr) std::rethrow_exception(failure);
  report(count);
}

}  // namespace lab
