// SPDX-License-Identifier: MIT
// Reads the input as an uploaded archive: no name may lead anywhere, and each file gets exactly the bytes it announces.
#include "api/tar.h"
#include "base/check.h"

#include <string.h>

struct archive {
    const uint8_t *data;
    size_t size;
    size_t at;
    uint64_t wanted; // bytes that the open file still owes
    uint32_t file_count;
};

static gw_status source(void *context, uint8_t *to, size_t size, size_t *ret_size, gw_err *err)
{
    struct archive *archive = context;
    (void)err;
    *ret_size = GW_MIN(size, archive->size - archive->at);
    if (*ret_size > 0) {
        memcpy(to, archive->data + archive->at, *ret_size);
    }
    archive->at += *ret_size;
    return GW_OK;
}

static gw_status begin(void *context, const char *name, uint64_t size, gw_err *err)
{
    struct archive *archive = context;
    (void)err;
    GW_ASSERT(archive->wanted == 0);
    GW_ASSERT(name[0] != '\0' && strlen(name) < GW_API_TAR_NAME_BYTES && strchr(name, '/') == NULL);
    GW_ASSERT(strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
    archive->wanted = size;
    archive->file_count++;
    return GW_OK;
}

static gw_status piece(void *context, struct gw_slice bytes, gw_err *err)
{
    struct archive *archive = context;
    (void)err;
    GW_ASSERT(bytes.size > 0 && bytes.size <= archive->wanted);
    archive->wanted -= bytes.size;
    return GW_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct archive archive = {.data = data, .size = size};
    const struct gw_api_tar_sink sink = {.context = &archive, .begin = begin, .piece = piece};
    gw_status status = gw_api_tar_read(source, &archive, &sink, NULL);
    GW_ASSERT(archive.file_count <= GW_API_TAR_FILES_MAX);
    GW_ASSERT(status != GW_OK || (archive.wanted == 0 && archive.file_count > 0));
    return 0;
}
