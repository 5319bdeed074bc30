// SPDX-License-Identifier: MIT
// An accumulator as bytes: a version byte; counts, sums and group sums as varints; per label the number of bins in use,
// then each one as (bins skipped, weight). A varint here has up to 19 groups of 7 bits, least first.
#include "quality/head_quality.h"

#include "base/mem.h"
#include "quality/head_internal.h"

enum { VERSION = 1, VARINT_BYTES = 19 };

__extension__ typedef unsigned __int128 wide;

static gw_status put(struct gw_buf *buf, wide value)
{
    uint8_t bytes[VARINT_BYTES];
    size_t size = 0;
    do {
        bytes[size] = (uint8_t)(value & 0x7f);
        value >>= 7;
        bytes[size++] |= value != 0 ? 0x80 : 0;
    } while (value != 0);
    return gw_buf_append(buf, bytes, size);
}

static gw_status put_bins(struct gw_buf *buf, const uint64_t *bins)
{
    uint64_t used = 0;
    for (size_t i = 0; i < GW_HEAD_QUALITY_BINS; i++) {
        used += bins[i] != 0;
    }
    GW_TRY(put(buf, used));
    size_t next = 0;
    for (size_t i = 0; i < GW_HEAD_QUALITY_BINS; i++) {
        if (bins[i] != 0) {
            GW_TRY(put(buf, i - next));
            GW_TRY(put(buf, bins[i]));
            next = i + 1;
        }
    }
    return GW_OK;
}

gw_status gw_head_quality_encode(const struct gw_head_quality *quality, struct gw_buf *buf)
{
    GW_TRY(put(buf, VERSION));
    for (size_t i = 0; i < GW_HEAD_COUNT_COUNT; i++) {
        GW_TRY(put(buf, quality->counts[i]));
    }
    for (size_t i = 0; i < GW_HEAD_SUM_COUNT; i++) {
        GW_TRY(put(buf, (wide)quality->sums[i]));
    }
    for (size_t i = 0; i < GW_HEAD_QUALITY_GROUPS; i++) {
        GW_TRY(put(buf, (wide)quality->predicted[i]));
    }
    GW_TRY(put_bins(buf, quality->bins[0]));
    return put_bins(buf, quality->bins[1]);
}

// Takes a varint of at most `limit` from the front. One spelling a number: no zero group at the end.
static bool get(struct gw_slice *in, wide limit, wide *ret_value)
{
    wide value = 0;
    for (size_t i = 0; i < VARINT_BYTES && i < in->size; i++) {
        uint8_t byte = in->data[i];
        if (i == VARINT_BYTES - 1 && byte > 1) { // bit 126; bit 127 would be a sign
            return false;
        }
        value |= (wide)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            in->data += i + 1;
            in->size -= i + 1;
            *ret_value = value;
            return value <= limit && (byte != 0 || i == 0);
        }
    }
    return false;
}

static bool get_bins(struct gw_slice *in, wide heaviest, uint64_t *bins, wide *sum)
{
    wide used = 0;
    if (!get(in, GW_HEAD_QUALITY_BINS, &used)) {
        return false;
    }
    size_t next = 0;
    for (wide i = 0; i < used; i++) {
        wide skip = 0;
        wide weight = 0;
        if (!get(in, GW_HEAD_QUALITY_BINS - 1, &skip) || next + (size_t)skip >= GW_HEAD_QUALITY_BINS ||
            !get(in, heaviest, &weight) || weight == 0) {
            return false;
        }
        next += (size_t)skip;
        bins[next++] = (uint64_t)weight;
        *sum += weight;
    }
    return *sum <= heaviest;
}

static bool get_all(struct gw_slice in, struct gw_head_quality *to)
{
    wide value = 0;
    if (!get(&in, VERSION, &value) || value != VERSION) {
        return false;
    }
    for (size_t i = 0; i < GW_HEAD_COUNT_COUNT; i++) {
        bool is_weight = i == GW_HEAD_COUNT_ANNOUNCED_WEIGHT;
        if (!get(&in, is_weight ? (wide)GW_HEAD_QUALITY_ROWS_MAX << 33 : GW_HEAD_QUALITY_ROWS_MAX, &value)) {
            return false;
        }
        to->counts[i] = (uint64_t)value;
    }
    // No row adds more than 2^33 to a bin or 2^75 to a sum. Holding bytes from outside to that keeps every later merge
    // far from the end of its integer.
    wide rows = to->counts[GW_HEAD_COUNT_ROWS];
    for (size_t i = 0; i < GW_HEAD_SUM_COUNT + GW_HEAD_QUALITY_GROUPS; i++) {
        if (!get(&in, rows << 75, &value)) {
            return false;
        }
        *(i < GW_HEAD_SUM_COUNT ? &to->sums[i] : &to->predicted[i - GW_HEAD_SUM_COUNT]) = (gw_i128)value;
    }
    wide weight = 0;
    if (!get_bins(&in, rows << 33, to->bins[0], &weight) || !get_bins(&in, rows << 33, to->bins[1], &weight)) {
        return false;
    }
    return in.size == 0 && to->counts[GW_HEAD_COUNT_POSITIVE_ROWS] <= rows && weight >= rows;
}

gw_status gw_head_quality_decode(struct gw_head_quality *quality, struct gw_slice bytes, gw_err *err)
{
    struct gw_head_quality *decoded = gw_head_quality_new();
    if (decoded == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory to decode the quality of a head");
    }
    bool good = get_all(bytes, decoded);
    if (good) {
        *quality = *decoded;
    }
    gw_head_quality_free(decoded);
    return good ? GW_OK : gw_fail(err, GW_E_MALFORMED, "not the quality of a head: %zu bytes", bytes.size);
}
