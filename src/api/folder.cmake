# SPDX-License-Identifier: MIT
# documents.c includes openapi.json through the assembler, which dependency scanning does not see.
set_source_files_properties(${dir}/documents.c PROPERTIES
  OBJECT_DEPENDS ${dir}/openapi.json
  COMPILE_DEFINITIONS "GW_API_OPENAPI_FILE=\"${dir}/openapi.json\"")
