# How the lab's targets are made: compiler settings, liburing, and the functions.

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
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # Without the optimiser g++ takes a promise's operator new and operator delete for a wrong pair.
  target_compile_options(lab_options INTERFACE -Wno-mismatched-new-delete)
endif()
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

# lab_measures(NAME): a program that measures others. No test runs it under a sanitizer, and nobody measures
# there: it is built only when it is asked for.
function(lab_measures name)
  if(CMAKE_CXX_FLAGS_RELWITHDEBINFO MATCHES "sanitize")
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
endfunction()

# lab_test(NAME SOURCES file... [DEPENDS component...]): a GoogleTest program, one ctest entry per program.
# Exit code 77 is a skip with its reason.
function(lab_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPENDS;LIBRARIES")
  lab_program(${name} SOURCES ${arg_SOURCES} DEPENDS ${arg_DEPENDS} LIBRARIES ${arg_LIBRARIES} GTest::gtest_main)
  # A test's own code is run once: the optimiser would take longer than it saves. What it tests keeps it.
  target_compile_options(${name} PRIVATE -O0)
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300)
endfunction()

# lab_lessons(): every folder of this chapter that has a facts.txt. Call it after the components.
# A lesson's target is its chapter's and its own number and its name: 03-07-multishot-recv. Beside it:
#   -broken                 its program with break.diff applied
#   -exercise, -solution    where it has an exercise; -mine once a learner has begun one
#   -NAME                   a second program NAME.cpp, compared with NAME.expected.txt
function(lab_lessons)
  file(GLOB facts CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/[0-9][0-9]-*/facts.txt)
  foreach(file IN LISTS facts)
    get_filename_component(folder ${file} DIRECTORY)
    lab_lesson(${folder})
  endforeach()
endfunction()

function(lab_lesson folder)
  get_filename_component(chapter ${CMAKE_CURRENT_SOURCE_DIR} NAME)
  get_filename_component(lesson ${folder} NAME)
  string(SUBSTRING ${chapter} 0 2 number)
  set(target ${number}-${lesson})
  string(SUBSTRING ${lesson} 3 -1 main)
  string(REPLACE - _ main ${main})
  file(GLOB programs CONFIGURE_DEPENDS ${folder}/*.cpp)
  foreach(program IN LISTS programs)
    get_filename_component(name ${program} NAME_WE)
    if(name STREQUAL main)
      lab_lesson_program(${target} ${program})
      lab_lesson_test(${target} ${target} ${folder}/expected.txt)
    elseif(name MATCHES "^(exercise|solution|mine)$")
      lab_lesson_program(${target}-${name} ${program})
    else()
      lab_lesson_program(${target}-${name} ${program})
      lab_lesson_test(${target}-${name} ${target}-${name} ${folder}/${name}.expected.txt)
    endif()
  endforeach()
  if(EXISTS ${folder}/break.diff)
    set(broken ${CMAKE_CURRENT_BINARY_DIR}/${lesson}-broken/${main}.cpp)
    add_custom_command(OUTPUT ${broken}
      COMMAND patch --quiet --fuzz=0 --output=${broken} ${folder}/${main}.cpp ${folder}/break.diff
      DEPENDS ${folder}/${main}.cpp ${folder}/break.diff
      COMMENT "Breaking ${target}")
    lab_lesson_program(${target}-broken ${folder}/${main}.cpp GENERATED ${broken})
    lab_lesson_test(${target}-broken ${target}-broken ${folder}/broken.txt)
  endif()
  if(LAB_TESTS AND EXISTS ${folder}/exercise.cpp)
    # The starter compiles and fails, in words; the solution passes.
    add_test(NAME lesson-${target}-exercise
      COMMAND ${PROJECT_SOURCE_DIR}/.scripts/lesson_check.sh $<TARGET_FILE:${target}-exercise> --starter)
    add_test(NAME lesson-${target}-solution
      COMMAND ${PROJECT_SOURCE_DIR}/.scripts/lesson_check.sh $<TARGET_FILE:${target}-solution> --solution)
    set_tests_properties(lesson-${target}-exercise lesson-${target}-solution PROPERTIES
      SKIP_RETURN_CODE 77 TIMEOUT 120)
  endif()
endfunction()

# The components that a lesson includes are the ones it is linked with.
# lab_lesson_program(target source [GENERATED file]): what the source includes, built from the file.
function(lab_lesson_program target source)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "GENERATED" "")
  get_filename_component(folder ${source} DIRECTORY)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
  set(readers ${source})
  if(source MATCHES "/(exercise|solution|mine).cpp$")
    list(APPEND readers ${folder}/check.hpp)
  endif()
  set(components)
  foreach(reader IN LISTS readers)
    if(EXISTS ${reader})
      file(STRINGS ${reader} lines REGEX "^#include \"0[1-6]-[a-z]+/lib/")
      foreach(line IN LISTS lines)
        string(REGEX REPLACE ".*/lib/([a-z_]+)\\.hpp.*" "\\1" component "${line}")
        list(APPEND components ${component})
      endforeach()
    endif()
  endforeach()
  lab_program(${target} SOURCES ${source} DEPENDS ${components})
  if(arg_GENERATED)
    set_property(TARGET ${target} PROPERTY SOURCES ${arg_GENERATED})
  endif()
  if(NOT LAB_TESTS OR target MATCHES "-mine$")
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
  set_tests_properties(lesson-${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 120)
endfunction()
