# SPDX-License-Identifier: MIT
# Golden tests of one folder that link more or less than the whole: tests/golden/<folder>/tests.cmake.
file(GLOB golden_parts CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/golden/*/tests.cmake)
foreach(golden_part ${golden_parts})
  include(${golden_part})
endforeach()
