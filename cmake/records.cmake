# SPDX-License-Identifier: MIT
add_library(gw_records INTERFACE)
target_link_libraries(gw_records INTERFACE gw_avro)
