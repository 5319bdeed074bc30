# SPDX-License-Identifier: MIT
# Tests of the command line run the program, and read its table of commands.
file(GLOB sources CONFIGURE_DEPENDS component/test_cli_*.c)
foreach(source ${sources})
  get_filename_component(stem ${source} NAME_WE)
  target_link_libraries(component_${stem} PRIVATE gw_cli)
  if(TARGET godwit)
    add_dependencies(component_${stem} godwit godwit-train)
  endif()
endforeach()
