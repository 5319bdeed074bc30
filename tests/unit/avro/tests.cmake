# SPDX-License-Identifier: MIT
# It runs the generator.
add_dependencies(test_avro_avrogen avrogen)
