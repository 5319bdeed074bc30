// SPDX-License-Identifier: MIT
// What the registry said, on disk: `<dir>/<hash of its URLs>/<id>.avsc` and `<subject>.ids`. Nothing in it is the only
// copy: a file that does not parse is as if it were not there. Private to this folder.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gw_schemas_cache {
    char *directory; // NULL: no cache
};

// Makes the directories. GW_E_IO names what cannot be made.
GW_CHECK gw_status gw_schemas_cache_init(struct gw_schemas_cache *cache, const char *directory, const char *urls,
                                         gw_err *err);
void gw_schemas_cache_deinit(struct gw_schemas_cache *cache);

// Replaces *out by the text of a schema; false when it is not there.
bool gw_schemas_cache_text(const struct gw_schemas_cache *cache, uint32_t id, struct gw_buf *out);
void gw_schemas_cache_put_text(const struct gw_schemas_cache *cache, uint32_t id, struct gw_slice text);

// The ids of a subject, and the id of the own text with this hash; false when not there, or for another own text.
bool gw_schemas_cache_subject(const struct gw_schemas_cache *cache, const char *subject, uint64_t own_hash,
                              uint32_t *ret_own_id, uint32_t *ids, size_t capacity, size_t *ret_count);
void gw_schemas_cache_put_subject(const struct gw_schemas_cache *cache, const char *subject, uint64_t own_hash,
                                  uint32_t own_id, const uint32_t *ids, size_t count);
