# How the lab's targets are made: compiler settings, liburing, and three functions.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)

# liburing: the newer of what `./lab setup` put under build/deps and what the system has, never below 2.9.
# The headers of a private prefix come after the system's own (-idirafter would be too late for liburing's:
# Debian 12 has 2.3 in the same place), so the prefix is named first and holds liburing alone.
find_path(LIBURING_INCLUDE_DIR liburing.h
  HINTS ${PROJECT_SOURCE_DIR}/build/deps/include NO_CMAKE_FIND_ROOT_PATH)
find_library(LIBURING_LIBRARY NAMES liburing.a
  HINTS ${PROJECT_SOURCE_DIR}/build/deps/lib NO_CMAKE_FIND_ROOT_PATH)
set(LIBURING_VERSION 0.0)
if(LIBURING_INCLUDE_DIR AND EXISTS ${LIBURING_INCLUDE_DIR}/liburing/io_uring_version.h)
  file(STRINGS ${LIBURING_INCLUDE_DIR}/liburing/io_uring_version.h version_lines REGEX "_VERSION_M[A-Z]+ ")
  string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*" "\\1.\\2" LIBURING_VERSION "${version_lines}")
endif()
if(NOT LIBURING_LIBRARY OR LIBURING_VERSION VERSION_LESS 2.9)
  message(FATAL_ERROR
    "liburing 2.9 or newer with its static library is needed, found ${LIBURING_VERSION}.\n"
    "Cure: ./lab setup puts one under build/deps and leaves the system as it is.")
endif()
message(STATUS "liburing ${LIBURING_VERSION}: ${LIBURING_LIBRARY}")

add_library(lab_options INTERFACE)
add_library(lab::options ALIAS lab_options)
# -Wextra warns of every field that a named initialiser leaves at its default, which is what defaults are for.
target_compile_options(lab_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_FLAGS_RELWITHDEBINFO MATCHES "sanitize=thread")
  # g++ warns of every fence, which ThreadSanitizer does not see. The only one is for an SQPOLL kernel thread.
  target_compile_options(lab_options INTERFACE -Wno-tsan)
endif()
if(LAB_WERROR)
  target_compile_options(lab_options INTERFACE -Werror)
endif()
target_include_directories(lab_options INTERFACE ${PROJECT_SOURCE_DIR})
# SYSTEM: liburing's inline functions are not written for our warnings.
target_include_directories(lab_options SYSTEM INTERFACE ${LIBURING_INCLUDE_DIR})
target_link_libraries(lab_options INTERFACE ${LIBURING_LIBRARY} Threads::Threads)

# lab_component(NAME [DEPENDS component...] [LIBRARIES library...])
# A component is lib/NAME.hpp and, where it has one, lib/NAME.cpp. The generated file includes the header
# first and alone, so a header that leans on its includer does not build.
function(lab_component name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEPENDS;LIBRARIES")
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  set(alone ${CMAKE_CURRENT_BINARY_DIR}/${name}_alone.cpp)
  file(CONFIGURE OUTPUT ${alone} CONTENT "#include \"${folder}/lib/${name}.hpp\"\n")
  set(sources ${alone})
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/lib/${name}.cpp)
    list(APPEND sources lib/${name}.cpp)
  endif()
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC lab::options ${arg_DEPENDS} ${arg_LIBRARIES})
endfunction()

# lab_program(NAME SOURCES file... [DEPENDS component...] [LIBRARIES library...])
function(lab_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPENDS;LIBRARIES")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE lab::options ${arg_DEPENDS} ${arg_LIBRARIES})
endfunction()

# lab_test(NAME SOURCES file... [DEPENDS component...]): a GoogleTest program, one ctest entry per program.
# Exit code 77 is a skip with its reason.
function(lab_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPENDS;LIBRARIES")
  lab_program(${name} SOURCES ${arg_SOURCES} DEPENDS ${arg_DEPENDS} LIBRARIES ${arg_LIBRARIES} GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300)
endfunction()
