// SPDX-License-Identifier: MIT
// POST /models/:id/versions: what an upload may be. Inside the api folder.
#pragma once

#include <stdbool.h>

// Looks at Content-Type and Content-Encoding (NULL: absent). Returns NULL when such a body is taken, else static text
// that says what is. *ret_is_archive: a tar archive with a bundle's files, else a model's own file.
const char *gw_api_upload_kind(const char *content_type, const char *content_encoding, bool *ret_is_archive);
