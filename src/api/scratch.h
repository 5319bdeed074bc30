// SPDX-License-Identifier: MIT
// A directory for the time of one upload. It is locked as long as it is in use, so that what a killed process has left
// can be told from what another one works on.
#pragma once

#include "base/err.h"

#define GW_API_SCRATCH_BYTES 4000 // of a path, with room for a file's name behind it

struct gw_api_scratch {
    char path[GW_API_SCRATCH_BYTES];
    int lock; // -1: no directory
};

// Makes an empty directory in `root`. GW_E_IO, GW_E_TOO_LARGE (the path).
GW_CHECK gw_status gw_api_scratch_make(const char *root, struct gw_api_scratch *scratch, gw_err *err);

// Removes it with everything in it. Nothing happens when none was made.
void gw_api_scratch_remove(struct gw_api_scratch *scratch);

// Takes the directory's path out of a message that goes to the caller: what lies in it keeps its name.
void gw_api_scratch_hide(const struct gw_api_scratch *scratch, gw_err *err);

// Makes `root` when it is missing, with its parents, and removes scratch directories and bodies in it that nobody uses.
// GW_E_IO.
GW_CHECK gw_status gw_api_scratch_sweep(const char *root, gw_err *err);
