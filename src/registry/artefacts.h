// SPDX-License-Identifier: MIT
// Bundles in the database, by content. A bundle's digest is the SHA-256 of its bundle.json, which holds the digests of
// all its other files; a file is stored once whatever bundles use it.
//
// On disk an artefact is the directory <cache>/<digest>, made aside and renamed: whatever becomes of the process, it is
// there whole or not at all. It is not flushed, because callers wait for it and it is not the only copy: what a power cut
// leaves of it fails its digests at the next load and is fetched anew.
#pragma once

#include "registry/registry.h"

#define GW_ARTEFACT_BYTES_MAX ((uint64_t)1 << 30) // of a bundle; more is GW_E_TOO_LARGE before anything is read

// Stores the files of a bundle directory; what is there already is not sent again. ret_digest has room for
// GW_ROUTE_DIGEST_BYTES. GW_E_MISMATCH: a file is not what bundle.json says.
GW_CHECK gw_status gw_artefacts_store(struct gw_registry *registry, const char *directory, char *ret_digest,
                                      gw_err *err);

// Makes <cache>/<digest> from the database unless it is there; ret_directory (may be NULL) gets its path, of at most
// `path_bytes`. Every file is checked against its digest on the way. GW_E_NOT_FOUND: no such artefact; GW_E_MISMATCH:
// what is stored is not what its digest says; GW_E_IO; GW_E_UNAVAILABLE. A directory that is there is trusted to be
// whole but not to be right: gw_bundle_load checks it.
GW_CHECK gw_status gw_artefacts_fetch(struct gw_registry *registry, const char *cache, const char *digest,
                                      char *ret_directory, size_t path_bytes, gw_err *err);

// Removes a cached artefact that turned out to be damaged, so that the next fetch makes it anew.
void gw_artefacts_forget(const char *cache, const char *digest);

// The same where other processes use the cache too: the copy that turns out to be damaged is held by a descriptor from
// before it is read (-1: it is gone; the caller closes it), and only that copy is removed. What somebody else has made
// anew under its name stays.
int gw_artefacts_hold(const char *cache, const char *digest);
void gw_artefacts_forget_held(const char *cache, const char *digest, int held);

struct gw_artefact_garbage {
    char digest[GW_ROUTE_DIGEST_BYTES];
    bool blob; // a file that no bundle uses, else a bundle that no version names
    int64_t bytes;
};
typedef void (*gw_artefact_sink)(void *context, const struct gw_artefact_garbage *garbage);

// Collects bundles that no version names (archived versions do not) and files that no bundle uses, older than `age_s`
// (a registration may be under way). dry_run: only says what it would do.
GW_CHECK gw_status gw_artefacts_collect(struct gw_registry *registry, uint32_t age_s, bool dry_run,
                                        gw_artefact_sink each, void *context, uint64_t *ret_bytes, gw_err *err);

// Removes directories of the disk cache beyond the `keep` that were used last.
GW_CHECK gw_status gw_artefacts_trim(const char *cache, size_t keep, gw_err *err);
