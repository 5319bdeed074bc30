// SPDX-License-Identifier: MIT
#include "worker/monitor_changelog.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static bool append_part(struct gw_buf *buf, struct gw_slice part)
{
    uint8_t size[4];
    gw_store_be32(size, (uint32_t)part.size);
    return gw_buf_append(buf, size, sizeof size) == GW_OK && gw_buf_append(buf, part.data, part.size) == GW_OK;
}

gw_status gw_monitor_key_write(const struct gw_monitor_key *key, struct gw_buf *out, gw_err *err)
{
    bool made = append_part(out, key->model) && append_part(out, key->topic) &&
                gw_buf_append(out, key->detector.data, key->detector.size) == GW_OK;
    return made ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory for a state's key");
}

static bool take_part(struct gw_slice *key, struct gw_slice *ret_part)
{
    if (key->size < 4 || gw_load_be32(key->data) > key->size - 4) {
        return false;
    }
    *ret_part = gw_slice_make(key->data + 4, gw_load_be32(key->data));
    *key = gw_slice_make(ret_part->data + ret_part->size, key->size - 4 - ret_part->size);
    return true;
}

gw_status gw_monitor_key_read(struct gw_slice bytes, struct gw_monitor_key *ret_key, gw_err *err)
{
    struct gw_monitor_key key = {0};
    size_t size = bytes.size;
    if (!take_part(&bytes, &key.model) || !take_part(&bytes, &key.topic)) {
        return gw_fail(err, GW_E_MALFORMED, "state key of %zu bytes", size);
    }
    key.detector = bytes;
    *ret_key = key;
    return GW_OK;
}

gw_status gw_monitor_name_write(const char *family, int32_t version, const char *rest, struct gw_monitor_name *ret_name,
                                gw_err *err)
{
    int size = snprintf(ret_name->text, sizeof ret_name->text, "%s/%" PRId32 "/%s", family, version, rest);
    if (size < 0 || (size_t)size >= sizeof ret_name->text) {
        return gw_fail(err, GW_E_TOO_LARGE, "'%.40s' makes a detector's name too long", rest);
    }
    ret_name->size = (size_t)size;
    return GW_OK;
}

gw_status gw_monitor_name_read(struct gw_slice detector, const char *family, bool *ret_is, int32_t *ret_version,
                               struct gw_slice *ret_rest, gw_err *err)
{
    size_t length = strlen(family);
    *ret_is = detector.size > length && memcmp(detector.data, family, length) == 0 && detector.data[length] == '/';
    if (!*ret_is) {
        return GW_OK;
    }
    const uint8_t *at = detector.data + length + 1;
    const uint8_t *end = detector.data + detector.size;
    int64_t version = 0;
    size_t digits = 0;
    for (; at < end && *at >= '0' && *at <= '9' && version <= INT32_MAX; at++, digits++) {
        version = version * 10 + (*at - '0');
    }
    if (digits == 0 || version > INT32_MAX || at + 1 >= end || *at != '/') {
        return gw_fail(err, GW_E_MALFORMED, "'%.*s' names no detector of '%s'", (int)GW_MIN(detector.size, 100u),
                       (const char *)detector.data, family);
    }
    *ret_version = (int32_t)version;
    *ret_rest = gw_slice_make(at + 1, (size_t)(end - at - 1));
    return GW_OK;
}
