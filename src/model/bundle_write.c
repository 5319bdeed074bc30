// SPDX-License-Identifier: MIT
#include "model/bundle_write.h"

#include "base/mem.h"
#include "model/file.h"
#include "model/model_file.h"
#include "model/sha256.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GOLDEN_FILE  "golden.json"
#define PROFILE_FILE "profile.bin"

struct writer {
    const struct gw_bundle_draft *draft;
    char aside[GW_MODEL_PATH_BYTES];
    struct gw_manifest manifest;
    char head_files[GW_BUNDLE_HEADS_MAX][GW_MANIFEST_NAME_BYTES];
    char digests[GW_MANIFEST_FILES_MAX][GW_SHA256_HEX_BYTES];
    gw_err *err;
};

static gw_status write_file(struct writer *w, const char *name, struct gw_slice bytes)
{
    char path[GW_MODEL_PATH_BYTES];
    GW_TRY(gw_model_path(w->aside, name, path, w->err));
    return gw_model_write_file(path, bytes, w->err);
}

// Writes a file and lists it in the manifest.
static gw_status write_listed(struct writer *w, const char *name, struct gw_slice bytes)
{
    size_t index = w->manifest.file_count++;
    gw_sha256_hex(bytes.data, bytes.size, w->digests[index]);
    w->manifest.files[index] = (struct gw_manifest_file){.name = name, .sha256 = w->digests[index]};
    return write_file(w, name, bytes);
}

// By content. What is no model gets some extension; loading it fails and says why.
static const char *extension_of(struct gw_slice model)
{
    enum gw_model_format format = GW_MODEL_FORMAT_XGBOOST_JSON;
    return gw_model_format_extension(gw_model_sniff(model, &format, NULL) == GW_OK ? format
                                                                                   : GW_MODEL_FORMAT_XGBOOST_JSON);
}

static gw_status write_heads(struct writer *w)
{
    for (size_t h = 0; h < w->manifest.head_count; h++) {
        int length = snprintf(w->head_files[h], sizeof w->head_files[h], "head_%s.%s", w->manifest.heads[h].name,
                              extension_of(w->draft->models[h]));
        if (length < 0 || (size_t)length >= sizeof w->head_files[h]) {
            return gw_fail(w->err, GW_E_TOO_LARGE, "head name '%.64s' is too long", w->manifest.heads[h].name);
        }
        w->manifest.heads[h].file = w->head_files[h];
        GW_TRY(write_listed(w, w->head_files[h], w->draft->models[h]));
    }
    return GW_OK;
}

static gw_status write_golden(struct writer *w)
{
    GW_CLEANUP(gw_buf_deinit) struct gw_buf text = {0};
    const char *names[GW_BUNDLE_HEADS_MAX];
    for (size_t h = 0; h < w->manifest.head_count; h++) {
        names[h] = w->manifest.heads[h].name;
    }
    GW_TRY(gw_golden_write(&w->draft->golden, names, &text, w->err));
    w->manifest.golden_file = GOLDEN_FILE;
    return write_listed(w, GOLDEN_FILE, gw_buf_slice(&text));
}

static gw_status write_profile(struct writer *w)
{
    w->manifest.profile_file = NULL;
    if (w->draft->profile.size == 0) {
        return GW_OK;
    }
    w->manifest.profile_file = PROFILE_FILE;
    return write_listed(w, PROFILE_FILE, w->draft->profile);
}

static gw_status write_manifest(struct writer *w)
{
    GW_CLEANUP(gw_buf_deinit) struct gw_buf text = {0};
    GW_TRY(gw_manifest_write(&w->manifest, &text, w->err));
    return write_file(w, GW_MANIFEST_FILE, gw_buf_slice(&text));
}

static gw_status write_aside(struct writer *w, char *digest)
{
    w->manifest = w->draft->manifest;
    w->manifest.file_count = 0;
    GW_TRY(write_heads(w));
    GW_TRY(write_golden(w));
    GW_TRY(write_profile(w));
    GW_TRY(write_manifest(w));
    GW_TRY(gw_model_sync_directory(w->aside, w->err));
    struct gw_bundle *bundle = NULL;
    GW_TRY(gw_bundle_load(w->aside, &bundle, w->err));
    memcpy(digest, gw_bundle_info(bundle)->digest, GW_SHA256_HEX_BYTES);
    gw_bundle_unref(bundle);
    return GW_OK;
}

// Removes what write_aside can have written.
static void remove_aside(const struct writer *w)
{
    char path[GW_MODEL_PATH_BYTES];
    for (size_t f = 0; f < w->manifest.file_count; f++) {
        if (gw_model_path(w->aside, w->manifest.files[f].name, path, NULL) == GW_OK) {
            unlink(path);
        }
    }
    if (gw_model_path(w->aside, GW_MANIFEST_FILE, path, NULL) == GW_OK) {
        unlink(path);
    }
    rmdir(w->aside);
}

static gw_status publish(const struct writer *w, const char *directory)
{
    if (rename(w->aside, directory) != 0) {
        gw_status status = errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR ? GW_E_CONFLICT : GW_E_IO;
        return gw_fail(w->err, status, "cannot rename to '%.128s': %s", directory, strerror(errno));
    }
    char parent[GW_MODEL_PATH_BYTES];
    GW_TRY(gw_model_path(directory, "..", parent, w->err));
    return gw_model_sync_directory(parent, w->err);
}

gw_status gw_bundle_write(const struct gw_bundle_draft *draft, const char *directory,
                          char ret_digest[GW_BUNDLE_DIGEST_BYTES], gw_err *err)
{
    GW_CLEANUP(gw_mem_cleanup) struct writer *w = gw_mem_calloc(1, sizeof *w);
    if (w == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory to write a bundle");
    }
    w->draft = draft;
    w->err = err;
    int length = snprintf(w->aside, sizeof w->aside, "%s.aside.XXXXXX", directory);
    if (length < 0 || (size_t)length >= sizeof w->aside) {
        return gw_fail(err, GW_E_TOO_LARGE, "path '%.64s...' is too long", directory);
    }
    if (mkdtemp(w->aside) == NULL || chmod(w->aside, 0755) != 0) {
        return gw_fail(err, GW_E_IO, "cannot create a directory beside '%.128s': %s", directory, strerror(errno));
    }
    char digest[GW_BUNDLE_DIGEST_BYTES];
    gw_status status = write_aside(w, digest);
    if (status == GW_OK) {
        status = publish(w, directory);
    }
    if (status != GW_OK) {
        remove_aside(w);
        return status;
    }
    if (ret_digest != NULL) {
        memcpy(ret_digest, digest, sizeof digest);
    }
    return GW_OK;
}
