// The figure of lesson 05-10: data, picture, and the rows of its table.
#pragma once

#include <filesystem>
#include <string>

#include "05-performance/bench/results.hpp"

namespace lab {

/// A few rows as Markdown, for the lesson's README.
std::string lesson_table(const Results& results);

/// Writes epoll-vs-io_uring.tsv and, with gnuplot, epoll-vs-io_uring.svg.
/// @return what it wrote, or why there is no picture
/// @throws std::runtime_error when the folder cannot be written
std::string record_lesson(const Results& results, const std::filesystem::path& folder);

}  // namespace lab
