# SPDX-License-Identifier: MIT
# Each header of src/ alone in a translation unit of its own. The test program links the objects, so building it is the
# test that headers compile alone.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/src/*.h)
set(alone_sources "")
foreach(header ${headers})
  string(REPLACE "/" "_" name ${header})
  string(MAKE_C_IDENTIFIER ${name} name)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/alone/${name}.c)
  # The typedef is for headers of macros only: C wants a declaration in each unit.
  file(CONFIGURE OUTPUT ${source} CONTENT "#include \"${header}\"\ntypedef int alone_${name};\n")
  list(APPEND alone_sources ${source})
endforeach()

add_library(gw_structure OBJECT ${alone_sources})
target_compile_options(gw_structure PRIVATE -O0 -g0 -Wno-missing-prototypes)
target_link_libraries(gw_structure PUBLIC gw_base PRIVATE gw_records)
foreach(client RDKAFKA HIREDIS PQ MICROHTTPD CURL JANSSON) # include folders only; nothing here needs their libraries
  target_include_directories(gw_structure SYSTEM
                             PRIVATE $<TARGET_PROPERTY:PkgConfig::${client},INTERFACE_INCLUDE_DIRECTORIES>)
endforeach()
