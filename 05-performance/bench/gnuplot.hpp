// Turns a gnuplot script that lies beside its data into its pictures.
#pragma once

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace lab {

/// Runs gnuplot on folder/name.gp, in that folder. What it says is in folder/name.log when it
/// fails.
/// @return empty when it has drawn; otherwise why there is no picture, in a sentence
inline std::string draw(const std::filesystem::path& folder, const std::string& name) {
  const std::string command =
      fmt::format("cd '{0}' && gnuplot {1}.gp 2> {1}.log", folder.string(), name);
  if (std::system(command.c_str()) != 0) {
    return fmt::format(
        "no picture: gnuplot is missing (./lab setup bench installs it) or failed (see "
        "{0}/{1}.log); "
        "the script {1}.gp and the data are there",
        folder.string(), name);
  }
  const std::filesystem::path log = folder / (name + ".log");
  if (std::error_code ignored; std::filesystem::is_empty(log, ignored)) {
    std::filesystem::remove(log, ignored);
  }
  return {};
}

}  // namespace lab
