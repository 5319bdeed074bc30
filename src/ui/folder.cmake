# SPDX-License-Identifier: MIT
# assets.c includes the page's files through the assembler, which dependency scanning does not see.
set_source_files_properties(${dir}/assets.c PROPERTIES
  OBJECT_DEPENDS "${dir}/index.html;${dir}/app.js;${dir}/models.js;${dir}/drift.js;${dir}/style.css"
  COMPILE_DEFINITIONS "GW_UI_DIR=\"${dir}\"")
