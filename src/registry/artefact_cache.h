// SPDX-License-Identifier: MIT
// The disk cache of artefacts: directories named by digest, made aside and renamed. For this folder only.
//
// Names that begin with a dot are under way, on their way out, or left by a crash; nobody loads from them.
#pragma once

#include "model/file.h"

#include <stdbool.h>
#include <stddef.h>

bool gw_artefact_digest_is_valid(const char *digest);

// True when the directory is there; it was used now.
bool gw_artefact_cache_touch(const char *directory);

// Makes the cache, when it is not there, and an empty directory in it. GW_E_IO.
GW_CHECK gw_status gw_artefact_cache_begin(const char *cache, const char *digest, char ret_aside[GW_MODEL_PATH_BYTES],
                                           gw_err *err);

// Gives it its name. Somebody else was faster: the one that is there stays, `aside` goes. GW_E_IO.
GW_CHECK gw_status gw_artefact_cache_publish(const char *cache, const char *digest, const char *aside, gw_err *err);

// Removes a directory of plain files, as far as that is possible.
void gw_artefact_cache_discard(const char *directory);
