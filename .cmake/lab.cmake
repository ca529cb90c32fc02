# How the lab's targets are made: compiler settings, liburing, and the functions.

option(LAB_IO_URING "OFF: only the servers, on libuv, for systems that are not Linux (docs/portable.md)" ON)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

# What a build under a sanitizer leaves out, because the other build has shown it, is decided by this.
set(LAB_SANITIZED OFF)
if("${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_RELWITHDEBINFO} ${CMAKE_CXX_FLAGS_DEBUG}" MATCHES "-fsanitize")
  set(LAB_SANITIZED ON)
endif()

# ccache, where it is installed and works: a cache that cannot be written must not fail the build. A launcher
# that the user names (CMAKE_CXX_COMPILER_LAUNCHER) is left alone.
option(LAB_CCACHE "Compile through ccache where it is installed" ON)
find_program(LAB_CCACHE_PROGRAM ccache)
mark_as_advanced(LAB_CCACHE_PROGRAM)
if(LAB_CCACHE AND LAB_CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  file(WRITE ${PROJECT_BINARY_DIR}/ccache_probe.cpp "int main() {}\n")
  execute_process(
    COMMAND ${LAB_CCACHE_PROGRAM} ${CMAKE_CXX_COMPILER} -c ccache_probe.cpp -o ccache_probe.o
    WORKING_DIRECTORY ${PROJECT_BINARY_DIR} RESULT_VARIABLE ccache_result OUTPUT_QUIET ERROR_QUIET)
  if(ccache_result EQUAL 0)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${LAB_CCACHE_PROGRAM})
  else()
    message(STATUS "ccache is installed but does not work here: built without it")
  endif()
endif()

# A build links some 650 programs, and the default linker takes twice the time of these. One that the user
# names (CMAKE_EXE_LINKER_FLAGS) is left alone.
include(CheckLinkerFlag)
if(NOT CMAKE_EXE_LINKER_FLAGS MATCHES "-fuse-ld")
  foreach(linker IN ITEMS lld gold)
    check_linker_flag(CXX -fuse-ld=${linker} LAB_LINKS_WITH_${linker})
    if(LAB_LINKS_WITH_${linker})
      add_link_options(-fuse-ld=${linker})
      break()
    endif()
  endforeach()
endif()

find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)

if(LAB_IO_URING)
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
else()
  # Its names, for what the supervisor needs of a ring without a kernel.
  set(LIBURING_INCLUDE_DIR ${PROJECT_SOURCE_DIR}/06-server/without-ring)
  set(LIBURING_LIBRARY)
  message(STATUS "without io_uring: the servers on libuv and nothing else (docs/portable.md)")
endif()

# The distribution's libraries. A program that uses the installed lab reads the same list.
include(lab_libraries)
lab_libraries(missing)
if(missing)
  message(FATAL_ERROR "Needed, and not here: ${missing}.\nCure: ./lab setup installs them.")
endif()
lab_library(missing uv uv.h uv)
if(TARGET lab::uv)
  set_target_properties(lab::uv PROPERTIES INTERFACE_COMPILE_DEFINITIONS LAB_HAS_LIBUV)
elseif(LAB_IO_URING)
  message(STATUS "Not here: ${missing}: built without the engine for kernels without io_uring "
    "(06-server/lib/portable). Cure: ./lab setup installs them")
else()
  message(FATAL_ERROR "-DLAB_IO_URING=OFF leaves libuv to serve, and there is none.\n"
    "Cure: docs/portable.md names its package on each system.")
endif()

add_library(lab_options INTERFACE)
add_library(lab::options ALIAS lab_options)
# Warnings are for this tree: who uses the installed lab has a taste of their own. But a wrong one is kept from them.
# -Wextra warns of every field that a named initialiser leaves at its default, which is what defaults are for.
set(warnings -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # Without the optimiser g++ takes a promise's operator new and operator delete for a wrong pair.
  list(APPEND warnings -Wno-mismatched-new-delete)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_FLAGS_RELWITHDEBINFO MATCHES "sanitize=thread")
  # g++ warns of every fence, which ThreadSanitizer does not see. The only one is for an SQPOLL kernel thread.
  list(APPEND warnings -Wno-tsan)
endif()
if(LAB_WERROR)
  list(APPEND warnings -Werror)
endif()
target_compile_options(lab_options INTERFACE
  "$<BUILD_INTERFACE:${warnings}>" $<INSTALL_INTERFACE:-Wno-mismatched-new-delete>)
target_compile_features(lab_options INTERFACE cxx_std_20)
target_include_directories(lab_options INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/io_uring_lab>)
# SYSTEM: liburing's inline functions are not written for our warnings.
target_include_directories(lab_options SYSTEM INTERFACE $<BUILD_INTERFACE:${LIBURING_INCLUDE_DIR}>)
target_link_libraries(lab_options INTERFACE
  $<BUILD_INTERFACE:${LIBURING_LIBRARY}> $<INSTALL_INTERFACE:lab::liburing> Threads::Threads)
if(NOT LAB_IO_URING)
  # Names that POSIX has and some systems lack stand in front of every source.
  target_compile_definitions(lab_options INTERFACE LAB_WITHOUT_IO_URING)
  target_compile_options(lab_options INTERFACE
    "SHELL:-include ${PROJECT_SOURCE_DIR}/06-server/without-ring/names.hpp")
endif()

# lab_component([ROOM/]NAME [DEPENDS component...] [LIBRARIES library...])
# A component is lib/[ROOM/]NAME.hpp and, where it has one, the .cpp beside it; others depend on NAME. Its header
# stands first in the .cpp, so a header that leans on its includer does not build; where it does not, or where
# there is no .cpp, a generated file includes it first and alone.
# Without io_uring lib/[ROOM/]NAME_posix.cpp takes the .cpp's place where there is one, those that are only for a
# ring are left out of DEPENDS, and what no server needs is not built; nor are headers alone, which the build with a
# ring has shown to be right.
set(LAB_ONLY_FOR_A_RING)
if(NOT LAB_IO_URING)
  set(LAB_ONLY_FOR_A_RING file_table run_reactors worker)
endif()
function(lab_component path)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEPENDS;LIBRARIES")
  cmake_path(GET path FILENAME name)
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  set(include_alone "#include \"${folder}/lib/${path}.hpp\"")
  set(source ${CMAKE_CURRENT_SOURCE_DIR}/lib/${path}.cpp)
  if(NOT LAB_IO_URING AND EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/lib/${path}_posix.cpp)
    set(source ${CMAKE_CURRENT_SOURCE_DIR}/lib/${path}_posix.cpp)
  endif()
  set(sources)
  set(first_include)
  if(EXISTS ${source})
    set(sources ${source})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
    file(STRINGS ${source} first_include REGEX "^#include" LIMIT_COUNT 1)
  endif()
  list(REMOVE_ITEM arg_DEPENDS ${LAB_ONLY_FOR_A_RING})
  if(NOT LAB_IO_URING AND NOT sources)
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE lab::options ${arg_DEPENDS} ${arg_LIBRARIES})
    return()
  endif()
  if(LAB_IO_URING AND NOT first_include STREQUAL include_alone)
    set(alone ${CMAKE_CURRENT_BINARY_DIR}/${name}_alone.cpp)
    file(CONFIGURE OUTPUT ${alone} CONTENT "${include_alone}\n")
    list(APPEND sources ${alone})
  endif()
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC lab::options ${arg_DEPENDS} ${arg_LIBRARIES})
  set_property(GLOBAL APPEND PROPERTY LAB_COMPONENTS ${name})
  if(NOT LAB_IO_URING)
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
endfunction()

# lab_together(TARGET): its sources are compiled as one, for most of a compiler's time is reading the same
# headers. What they have in anonymous namespaces needs a name of its own, each in the whole target.
# -DLAB_TOGETHER=OFF compiles each by itself, which is quicker where one file is edited again and again.
# (Precompiled headers were tried: with g++ 12, loading one takes as long as reading what is in it.)
option(LAB_TOGETHER "Compile the sources of some targets as one" ON)
function(lab_together target)
  if(LAB_TOGETHER)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0)
    if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
      # A type in an anonymous namespace is no mistake outside of a header, which g++ takes an included file for.
      target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
    endif()
  endif()
endfunction()

# lab_program(NAME SOURCES file... [DEPENDS component...] [LIBRARIES library...])
function(lab_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPENDS;LIBRARIES")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE lab::options ${arg_DEPENDS} ${arg_LIBRARIES})
endfunction()

# lab_measures(NAME): a program that measures others. No test runs it under a sanitizer, and nobody measures
# there: it is built only when it is asked for.
function(lab_measures name)
  if(LAB_SANITIZED OR NOT LAB_IO_URING)
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
endfunction()

# A test that takes longer hangs. On one processor that others use as well, tests of a few seconds take
# a minute: this ends what would never end, and says nothing about what is slow.
set(LAB_TEST_SECONDS 900)

# lab_test(NAME SOURCES file... [DEPENDS component...]): a GoogleTest program, one ctest entry per program.
# Exit code 77 is a skip with its reason.
function(lab_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPENDS;LIBRARIES")
  lab_program(${name} SOURCES ${arg_SOURCES} DEPENDS ${arg_DEPENDS} LIBRARIES ${arg_LIBRARIES} GTest::gtest_main)
  # A test's own code is run once: the optimiser would take longer than it saves. What it tests keeps it.
  target_compile_options(${name} PRIVATE -O0)
  lab_together(${name})
  # What it takes from a program is compiled as that program compiles it.
  set(foreign ${arg_SOURCES})
  list(FILTER foreign INCLUDE REGEX "\\.\\./|^/")
  set_source_files_properties(${foreign} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT ${LAB_TEST_SECONDS})
endfunction()

# lab_cells(TEST [cell...]): what the test of this name is a test of, for the table "What is tested with what" of
# 06-server/README.md and for ctest -L. A cell is PROTOCOL/ENGINE/TOPOLOGY, as .scripts/cells.py lists them, and is
# written in full: the table is made from the text. A test that this build leaves out counts as well.
function(lab_cells test)
  foreach(cell IN LISTS ARGN)
    if(NOT cell MATCHES "^[a-z-]+/(io_uring|portable|model)/(reuseport|reactors)$")
      message(FATAL_ERROR "${test}: \"${cell}\" is no cell, which is PROTOCOL/ENGINE/TOPOLOGY")
    endif()
  endforeach()
  set_property(GLOBAL APPEND PROPERTY LAB_CELLS ${ARGN})
  if(TEST ${test})
    set_property(TEST ${test} APPEND PROPERTY LABELS ${ARGN})
  endif()
endfunction()

# lab_lessons([WITHOUT lesson...]): every folder of this chapter that has a facts.txt, but for those that need a
# library which is missing. Call it after the components.
# A lesson's target is its chapter's and its own number and its name: 03-07-multishot-recv. Beside it:
#   -broken                 its program with break.diff applied to it, or to a header of its own
#   -exercise, -solution    where it has an exercise; -mine once a learner has begun one
#   -NAME                   a second program NAME.cpp, compared with NAME.expected.txt
# Under a sanitizer the broken program, the exercise and the solution are tested only where memory is the
# subject: where the title or the features in facts.txt say "memory", "lifetime" or "AddressSanitizer". The
# lesson itself always is.
function(lab_lessons)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "WITHOUT")
  if(NOT LAB_IO_URING)
    return()
  endif()
  file(GLOB facts CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/[0-9][0-9]-*/facts.txt)
  foreach(file IN LISTS facts)
    get_filename_component(folder ${file} DIRECTORY)
    get_filename_component(lesson ${folder} NAME)
    if(NOT lesson IN_LIST arg_WITHOUT)
      lab_lesson(${folder})
    endif()
  endforeach()
endfunction()

function(lab_lesson folder)
  get_filename_component(chapter ${CMAKE_CURRENT_SOURCE_DIR} NAME)
  get_filename_component(lesson ${folder} NAME)
  string(SUBSTRING ${chapter} 0 2 number)
  set(target ${number}-${lesson})
  string(SUBSTRING ${lesson} 3 -1 main)
  string(REPLACE - _ main ${main})
  set(variants ${LAB_TESTS})
  if(LAB_SANITIZED)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${folder}/facts.txt)
    file(STRINGS ${folder}/facts.txt about_memory REGEX "^(title|features):.*(lifetime|memory|AddressSanitizer)")
    if(NOT about_memory)
      set(variants OFF)
    endif()
  endif()
  file(GLOB programs CONFIGURE_DEPENDS ${folder}/*.cpp)
  foreach(program IN LISTS programs)
    get_filename_component(name ${program} NAME_WE)
    if(name STREQUAL main)
      lab_lesson_program(${target} ${program})
      lab_lesson_test(${target} ${target} ${folder}/expected.txt)
    elseif(name MATCHES "^(exercise|solution|mine)$")
      lab_lesson_program(${target}-${name} ${program} TESTED ${variants})
    else()
      lab_lesson_program(${target}-${name} ${program})
      lab_lesson_test(${target}-${name} ${target}-${name} ${folder}/${name}.expected.txt)
    endif()
  endforeach()
  if(EXISTS ${folder}/break.diff)
    # What is broken is the program, or a header of the lesson's own: that is then found before the whole one.
    file(STRINGS ${folder}/break.diff name REGEX "^--- a/" LIMIT_COUNT 1)
    string(REGEX REPLACE "^--- a/([a-z0-9_.]+).*" "\\1" name "${name}")
    set(top ${CMAKE_CURRENT_BINARY_DIR}/${lesson}-broken)
    set(broken ${top}/${chapter}/${lesson}/${name})
    file(MAKE_DIRECTORY ${top}/${chapter}/${lesson})
    add_custom_command(OUTPUT ${broken}
      COMMAND patch --quiet --fuzz=0 --output=${broken} ${folder}/${name} ${folder}/break.diff
      DEPENDS ${folder}/${name} ${folder}/break.diff
      COMMENT "Breaking ${target}")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${folder}/break.diff)
    lab_lesson_program(${target}-broken ${folder}/${main}.cpp GENERATED ${broken} UNDER ${top}
      TESTED ${variants})
    if(variants)
      lab_lesson_test(${target}-broken ${target}-broken ${folder}/broken.txt)
    endif()
  endif()
  if(variants AND EXISTS ${folder}/exercise.cpp)
    # The starter compiles and fails, in words; the solution passes.
    add_test(NAME lesson-${target}-exercise
      COMMAND ${PROJECT_SOURCE_DIR}/.scripts/lesson_check.sh $<TARGET_FILE:${target}-exercise> --starter)
    add_test(NAME lesson-${target}-solution
      COMMAND ${PROJECT_SOURCE_DIR}/.scripts/lesson_check.sh $<TARGET_FILE:${target}-solution> --solution)
    set_tests_properties(lesson-${target}-exercise lesson-${target}-solution PROPERTIES
      SKIP_RETURN_CODE 77 TIMEOUT ${LAB_TEST_SECONDS})
  endif()
endfunction()

# The components that a lesson includes, itself or by headers that are none, are the ones it is linked with.
# lab_lesson_program(target source [GENERATED file UNDER folder] [TESTED bool]): what the source includes, built
# with the file in its place, or in that of the header that it has the path of under the folder. Without a test
# of its own it is built only when it is asked for.
function(lab_lesson_program target source)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "GENERATED;UNDER;TESTED" "")
  if(NOT DEFINED arg_TESTED)
    set(arg_TESTED ${LAB_TESTS})
  endif()
  get_filename_component(folder ${source} DIRECTORY)
  set(readers ${source})
  set(read)
  if(source MATCHES "/(exercise|solution|mine).cpp$" AND EXISTS ${folder}/check.hpp)
    list(APPEND readers ${folder}/check.hpp)
  endif()
  set(components)
  while(readers)
    list(POP_FRONT readers reader)
    list(APPEND read ${reader})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${reader})
    file(STRINGS ${reader} lines REGEX "^#include \"0[1-6]-[a-z]+/")
    foreach(line IN LISTS lines)
      string(REGEX REPLACE "^#include \"(.*)\".*" "\\1" header "${line}")
      if(header MATCHES "/lib/")
        cmake_path(GET header STEM component)
        list(APPEND components ${component})
      elseif(NOT ${PROJECT_SOURCE_DIR}/${header} IN_LIST read)
        list(APPEND readers ${PROJECT_SOURCE_DIR}/${header})
      endif()
    endforeach()
  endwhile()
  list(REMOVE_DUPLICATES components)
  lab_program(${target} SOURCES ${source} DEPENDS ${components})
  if(arg_GENERATED MATCHES "\\.cpp$")
    set_property(TARGET ${target} PROPERTY SOURCES ${arg_GENERATED})
  elseif(arg_GENERATED)
    target_sources(${target} PRIVATE ${arg_GENERATED})
    target_include_directories(${target} BEFORE PRIVATE ${arg_UNDER})
  endif()
  if(NOT arg_TESTED OR target MATCHES "-mine$")
    set_property(TARGET ${target} PROPERTY EXCLUDE_FROM_ALL TRUE)
  endif()
endfunction()

# lab_lesson_test(NAME target expected): what the program prints is compared with the file.
function(lab_lesson_test name target expected)
  if(NOT LAB_TESTS)
    return()
  endif()
  set(check ${PROJECT_SOURCE_DIR}/.scripts/lesson_check.sh)
  add_test(NAME lesson-${name} COMMAND ${check} $<TARGET_FILE:${target}> ${expected})
  set_tests_properties(lesson-${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT ${LAB_TEST_SECONDS})
endfunction()
