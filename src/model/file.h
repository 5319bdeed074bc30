// SPDX-License-Identifier: MIT
// Paths and durable files of a bundle. Reading is gw_file_read of base/ini.h.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

// Longest path that is built here, with its NUL.
#define GW_MODEL_PATH_BYTES 4096

// "directory/name" in ret_path. GW_E_TOO_LARGE.
GW_CHECK gw_status gw_model_path(const char *directory, const char *name, char ret_path[GW_MODEL_PATH_BYTES],
                                 gw_err *err);

// Creates the file, which must not exist, and flushes it to the disk. GW_E_CONFLICT, GW_E_IO.
GW_CHECK gw_status gw_model_write_file(const char *path, struct gw_slice bytes, gw_err *err);

// Flushes a directory's entries to the disk. GW_E_IO.
GW_CHECK gw_status gw_model_sync_directory(const char *path, gw_err *err);
