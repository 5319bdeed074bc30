# SPDX-License-Identifier: MIT
# gw_records: codecs that avrogen writes from schemas/*.avsc into <build>/generated/records.
add_executable(avrogen src/avro/avrogen.c src/avro/avrogen/emit.c src/avro/avrogen/header.c src/avro/avrogen/codec.c)
target_link_libraries(avrogen PRIVATE gw_avro)

# gw_avro_records(NAME OUTDIR SCHEMA...): a static library with the codecs of the records in the schema files. Includes
# are "records/<record>.h"; schema files carry the snake-case name of their record.
function(gw_avro_records name out)
  set(schemas ${ARGN})
  set(generated ${out}/records/types.h ${out}/records/types.c ${out}/records/all.h ${out}/records/all.c)
  foreach(schema ${schemas})
    get_filename_component(stem ${schema} NAME_WE)
    list(APPEND generated ${out}/records/${stem}.h ${out}/records/${stem}.c)
  endforeach()
  add_custom_command(
    OUTPUT ${generated}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${out}
    COMMAND avrogen ${out} ${schemas}
    DEPENDS avrogen ${schemas}
    COMMENT "Generating the record codecs of ${name}"
    VERBATIM)
  add_library(${name} STATIC ${generated})
  target_include_directories(${name} PUBLIC ${out})
  target_link_libraries(${name} PUBLIC gw_avro)
  # Schemas are longer than the 4095 characters that C promises for a literal; our compilers take them.
  target_compile_options(${name} PRIVATE -Wno-overlength-strings)
endfunction()

file(GLOB schemas CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/schemas/*.avsc)
if(schemas)
  gw_avro_records(gw_records ${CMAKE_BINARY_DIR}/generated ${schemas})
else()
  add_library(gw_records INTERFACE)
  target_link_libraries(gw_records INTERFACE gw_avro)
endif()
