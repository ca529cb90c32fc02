# The distribution's libraries that the servers need, as targets lab::NAME. CMake knows none of these but zlib, and
# pkg-config need not be there. Read twice: when the lab is built, and by the package that it installs.

# lab_library(MISSING NAME HEADER LIBRARY): lab::NAME; or the library's name is added to the variable MISSING.
function(lab_library missing name header library)
  if(TARGET lab::${name})
    return()
  endif()
  find_path(LAB_${name}_INCLUDE_DIR ${header})
  find_library(LAB_${name}_LIBRARY ${library})
  mark_as_advanced(LAB_${name}_INCLUDE_DIR LAB_${name}_LIBRARY)
  if(NOT LAB_${name}_INCLUDE_DIR OR NOT LAB_${name}_LIBRARY)
    string(APPEND ${missing} "${${missing}:+, }lib${library} with ${header}")
    set(${missing} "${${missing}}" PARENT_SCOPE)
    return()
  endif()
  add_library(lab::${name} UNKNOWN IMPORTED GLOBAL)
  set_target_properties(lab::${name} PROPERTIES
    IMPORTED_LOCATION ${LAB_${name}_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${LAB_${name}_INCLUDE_DIR})
endfunction()

# lab_libraries(MISSING): all of them but libuv, which the servers can do without.
function(lab_libraries missing)
  set(lacking)
  lab_library(lacking zlib zlib.h z)
  lab_library(lacking brotli_encoder brotli/encode.h brotlienc)
  lab_library(lacking brotli_decoder brotli/decode.h brotlidec)
  lab_library(lacking zstd zstd.h zstd)
  lab_library(lacking xxhash xxhash.h xxhash)
  lab_library(lacking crypto openssl/crypto.h crypto)
  lab_library(lacking ssl openssl/ssl.h ssl)
  set(${missing} "${lacking}" PARENT_SCOPE)
endfunction()
