# SPDX-License-Identifier: MIT
# avro-c is the oracle of the codecs; only tests link it.
pkg_check_modules(AVRO_C REQUIRED IMPORTED_TARGET avro-c)
target_link_libraries(test_records_oracle PRIVATE PkgConfig::AVRO_C)

# A schema with each construct that avrogen knows, also those that no record of ours uses.
gw_avro_records(gw_test_records_sink ${CMAKE_CURRENT_BINARY_DIR}/sink
                ${CMAKE_CURRENT_SOURCE_DIR}/unit/records/kitchen_sink.avsc)
gw_test(test_records_sink unit unit/records/sink.c gw_test_records_sink PkgConfig::AVRO_C)
