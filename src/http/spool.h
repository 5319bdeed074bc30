// SPDX-License-Identifier: MIT
// A body on disk: a file without a name, which is gone whichever way the process ends.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdint.h>

struct gw_http_spool {
    int fd; // -1: none
    uint64_t size;
};

// Makes an empty file in `directory`, which must exist. GW_E_IO: static text in *ret_detail says what is the matter in
// terms that a caller over the network may read.
GW_CHECK gw_status gw_http_spool_open(struct gw_http_spool *spool, const char *directory, const char **ret_detail);

// Appends. The same failure; the file is then of no use.
GW_CHECK gw_status gw_http_spool_append(struct gw_http_spool *spool, struct gw_slice bytes, const char **ret_detail);

void gw_http_spool_close(struct gw_http_spool *spool);
