# `cmake --install build/release --prefix P`: the programs, and the components as a library (docs/use-the-lab.md).
#   --component programs    the programs alone
#   --component library     headers, archives, the CMake package and the files for pkg-config
# What is installed has to be built before: the target `installable`, or everything.
#
# All of it comes from the targets that there are: a component is installed because lab_component() made it.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# ---- programs

set(programs)
foreach(program IN ITEMS echo-server http-server proxy ringload ringio ring-cp ring-cat ring-trace)
  if(TARGET ${program})
    list(APPEND programs ${program})
  endif()
endforeach()
install(TARGETS ${programs} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT programs)
set(installable ${programs})
if(TARGET doctor)
  list(APPEND installable doctor)
  # "doctor" alone says nothing among a system's programs.
  install(PROGRAMS $<TARGET_FILE:doctor> DESTINATION ${CMAKE_INSTALL_BINDIR} RENAME lab-doctor COMPONENT programs)
  # ring-trace looks for its script beside itself.
  install(FILES ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/ring-trace.bt
    DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT programs)
endif()
install(FILES docs/seccomp-io_uring.json docs/operations/http-server.service docs/operations/http-server.socket
  DESTINATION ${CMAKE_INSTALL_DATADIR}/io_uring_lab COMPONENT programs)
install(FILES LICENSE docs/changelog.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT programs)

if(NOT LAB_IO_URING)
  # The servers alone: without a ring there is no library.
  add_custom_target(installable DEPENDS ${installable})
  return()
endif()

# ---- the library

set(folder ${CMAKE_INSTALL_LIBDIR}/io_uring_lab)
set(headers ${CMAKE_INSTALL_INCLUDEDIR}/io_uring_lab)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/io_uring_lab)

# Two sets: who takes a ring and a timer needs no OpenSSL. Each chapter has a target for all its components.
install(TARGETS lab_options EXPORT components COMPONENT library)
set_target_properties(lab_options PROPERTIES EXPORT_NAME options)
set(archives_components)
set(archives_server)
get_property(components GLOBAL PROPERTY LAB_COMPONENTS)
# The servers' command line is no component: no lesson builds it.
list(APPEND components command_line)
list(APPEND installable ${components})
foreach(component IN LISTS components)
  get_target_property(source ${component} SOURCE_DIR)
  cmake_path(RELATIVE_PATH source BASE_DIRECTORY ${PROJECT_SOURCE_DIR})
  string(REGEX REPLACE "^[0-9]+-([a-z]+).*" "\\1" chapter ${source})
  set(export components)
  if(chapter STREQUAL server)
    set(export server)
  endif()
  install(TARGETS ${component} EXPORT ${export} ARCHIVE DESTINATION ${folder} COMPONENT library)
  list(APPEND archives_${export} \${libdir}/io_uring_lab/$<TARGET_FILE_NAME:${component}>)
  if(NOT TARGET lab_chapter_${chapter})
    add_library(lab_chapter_${chapter} INTERFACE)
    set_target_properties(lab_chapter_${chapter} PROPERTIES EXPORT_NAME ${chapter})
    install(TARGETS lab_chapter_${chapter} EXPORT ${export} COMPONENT library)
    install(DIRECTORY ${PROJECT_SOURCE_DIR}/${source}/lib DESTINATION ${headers}/${source}
      COMPONENT library FILES_MATCHING PATTERN *.hpp)
  endif()
  target_link_libraries(lab_chapter_${chapter} INTERFACE ${component})
endforeach()
install(FILES 05-performance/bench/command_line.hpp DESTINATION ${headers}/05-performance/bench COMPONENT library)

# liburing goes along where it is the lab's own, or whoever links would need to find the same one.
cmake_path(IS_PREFIX PROJECT_SOURCE_DIR ${LIBURING_LIBRARY} NORMALIZE LAB_PRIVATE_LIBURING)
if(LAB_PRIVATE_LIBURING)
  install(FILES ${LIBURING_LIBRARY} DESTINATION ${folder}/liburing COMPONENT library)
  install(FILES ${LIBURING_INCLUDE_DIR}/liburing.h DESTINATION ${folder}/liburing/include COMPONENT library)
  install(DIRECTORY ${LIBURING_INCLUDE_DIR}/liburing DESTINATION ${folder}/liburing/include COMPONENT library)
endif()

set(LAB_HAS_LIBUV OFF)
if(TARGET lab::uv)
  set(LAB_HAS_LIBUV ON)
endif()
configure_package_config_file(.cmake/io_uring_lab-config.cmake.in ${PROJECT_BINARY_DIR}/io_uring_lab-config.cmake
  INSTALL_DESTINATION ${package} PATH_VARS CMAKE_INSTALL_LIBDIR)
# Before 1.0 a minor version may change what programs rely on.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/io_uring_lab-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES
    ${PROJECT_BINARY_DIR}/io_uring_lab-config.cmake ${PROJECT_BINARY_DIR}/io_uring_lab-config-version.cmake
    .cmake/lab_libraries.cmake
  DESTINATION ${package} COMPONENT library)
foreach(export IN ITEMS components server)
  install(EXPORT ${export} NAMESPACE io_uring_lab:: FILE io_uring_lab-${export}.cmake
    DESTINATION ${package} COMPONENT library)
endforeach()

# ---- pkg-config: the archives in a group, for it knows no order among them

set(LIBURING_CFLAGS)
set(LIBURING_LIBS ${LIBURING_LIBRARY})
if(LAB_PRIVATE_LIBURING)
  set(LIBURING_CFLAGS "-isystem \${libdir}/io_uring_lab/liburing/include")
  set(LIBURING_LIBS "\${libdir}/io_uring_lab/liburing/liburing.a")
endif()
set(LIBUV_CFLAGS)
set(LIBUV_PACKAGE)
if(LAB_HAS_LIBUV)
  set(LIBUV_CFLAGS -DLAB_HAS_LIBUV)
  set(LIBUV_PACKAGE libuv)
endif()
cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_LIBDIR BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX} OUTPUT_VARIABLE libdir)
string(REGEX REPLACE "[^/]+" ".." way_up ${libdir}/pkgconfig)
foreach(pair IN ITEMS io_uring_lab:components io_uring_lab-server:server)
  string(REGEX REPLACE ":.*" "" name ${pair})
  string(REGEX REPLACE ".*:" "" export ${pair})
  list(JOIN archives_${export} " " ARCHIVES)
  configure_file(.cmake/${name}.pc.in ${PROJECT_BINARY_DIR}/${name}.pc.in @ONLY)
  file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/${name}.pc INPUT ${PROJECT_BINARY_DIR}/${name}.pc.in)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)
endforeach()

add_custom_target(installable DEPENDS ${installable})
