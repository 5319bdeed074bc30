// SPDX-License-Identifier: MIT
// Reads an uploaded tar archive: ustar, with pax extended headers for paths and sizes (POSIX.1-2008, pax). Only plain
// files and directories; everything is bounded, and no name leads out of the directory it is unpacked to.
//
// A bundle has no folders in it, so an archive holds its files at the top or all in one folder; that folder's name is
// dropped, and what comes out are plain file names.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define GW_API_TAR_FILES_MAX  64
#define GW_API_TAR_NAME_BYTES 129 // of one file, without its folder, with the NUL

// Gives up to `size` bytes; *ret_size 0: the end.
typedef gw_status (*gw_api_tar_source)(void *context, uint8_t *to, size_t size, size_t *ret_size, gw_err *err);

// Takes a file: `begin` once with name and size, then `piece`s that add up to the size.
struct gw_api_tar_sink {
    void *context;
    gw_status (*begin)(void *context, const char *name, uint64_t size, gw_err *err);
    gw_status (*piece)(void *context, struct gw_slice bytes, gw_err *err);
};

// GW_E_MALFORMED: not a tar archive, or one that is damaged or cut off. GW_E_INVALID: links, devices, sparse files,
// names that are absolute, lead upwards, come twice or lie deeper. GW_E_TOO_LARGE: more than GW_API_TAR_FILES_MAX
// files. Else what source and sink return. Messages name the file. What follows the archive's end mark is not read.
GW_CHECK gw_status gw_api_tar_read(gw_api_tar_source source, void *source_context, const struct gw_api_tar_sink *sink,
                                   gw_err *err);

// Unpacks the file `fd`, from its start, into `directory`, which must exist and be empty. Beside the above GW_E_IO.
GW_CHECK gw_status gw_api_tar_unpack(int fd, const char *directory, gw_err *err);
