// SPDX-License-Identifier: MIT
// The bank's states: what a changelog keeps, so that a restart goes on as if nothing had happened, to the bit.
//
//   every record: "GWDS" version:u32 fingerprint:u64 rows:u64, then
//   "bank":       looked_row:u64 now_ms:i64 mean:f64 begin_ms:i64[32]
//   "stream/..":  tilt:f32[16] absence:f32[16] e:f32[2] (calm_row:u64 calm_ms:i64 episode:64 bytes)[2]
//                 counts:u8[32][rows] learned, when categorical
#include "base/check.h"
#include "drift/bank_internal.h"
#include "drift/pack.h"

#include <math.h>
#include <stdio.h>

static const uint32_t magic = 0x53445747; // "GWDS"
enum { STATE_VERSION = 3 };

static const char bank_name[] = "bank";
static const char stream_prefix[] = "stream/";

static struct gw_drift_writer begin(struct gw_drift_bank *bank)
{
    struct gw_drift_writer writer = {.out = &bank->bytes};
    gw_buf_clear(&bank->bytes);
    gw_drift_put_u32(&writer, magic);
    gw_drift_put_u32(&writer, STATE_VERSION);
    gw_drift_put_u64(&writer, bank->profile->fingerprint);
    gw_drift_put_u64(&writer, bank->rows);
    return writer;
}

static gw_status give(struct gw_drift_bank *bank, const struct gw_drift_writer *writer, const char *name,
                      const struct gw_drift_sink *sink, gw_err *err)
{
    if (writer->status != GW_OK) {
        return gw_fail(err, writer->status, "no memory for the state of '%s'", name);
    }
    return sink->state(sink->context, name, gw_buf_slice(&bank->bytes), err);
}

static gw_status flush_bank(struct gw_drift_bank *bank, const struct gw_drift_sink *sink, gw_err *err)
{
    struct gw_drift_writer writer = begin(bank);
    gw_drift_put_u64(&writer, bank->looked_row);
    gw_drift_put_u64(&writer, (uint64_t)bank->now_ms);
    gw_drift_put_f64(&writer, bank->mean);
    gw_drift_put(&writer, bank->blocks.begin_ms, sizeof bank->blocks.begin_ms);
    return give(bank, &writer, bank_name, sink, err);
}

static gw_status flush_stream(struct gw_drift_bank *bank, const struct bank_stream *stream,
                              const struct gw_drift_sink *sink, gw_err *err)
{
    char name[sizeof stream_prefix + GW_DRIFT_NAME_BYTES_MAX];
    snprintf(name, sizeof name, "%s%s", stream_prefix, stream->feature->name);
    struct gw_drift_writer writer = begin(bank);
    gw_drift_put(&writer, stream->detector.tilt.lane, sizeof stream->detector.tilt.lane);
    gw_drift_put(&writer, stream->detector.absence.lane, sizeof stream->detector.absence.lane);
    gw_drift_put(&writer, stream->e, sizeof stream->e);
    for (int kind = 0; kind < BANK_KINDS; kind++) {
        uint8_t episode[GW_DRIFT_EPISODE_BYTES];
        gw_drift_episode_save(&stream->episode[kind], episode);
        gw_drift_put_u64(&writer, stream->calm_row[kind]);
        gw_drift_put_u64(&writer, (uint64_t)stream->calm_ms[kind]);
        gw_drift_put(&writer, episode, sizeof episode);
    }
    gw_drift_put(&writer, stream->counts,
                 (size_t)GW_DRIFT_BLOCKS * stream->feature->row_count * sizeof *stream->counts);
    if (stream->learned != NULL) {
        gw_drift_put(&writer, stream->learned, sizeof *stream->learned);
    }
    return give(bank, &writer, name, sink, err);
}

gw_status gw_drift_bank_flush(struct gw_drift_bank *bank, const struct gw_drift_sink *sink, gw_err *err)
{
    if (bank->rows == bank->flushed_row) {
        return GW_OK;
    }
    GW_TRY(flush_bank(bank, sink, err));
    for (uint32_t i = 0; i < bank->stream_count; i++) {
        GW_TRY(flush_stream(bank, &bank->streams[i], sink, err));
    }
    bank->flushed_row = bank->rows;
    return GW_OK;
}

static gw_status malformed(const char *name, gw_err *err)
{
    return gw_fail(err, GW_E_MALFORMED, "state '%s': not one that this program writes", name);
}

static gw_status restore_bank(struct gw_drift_bank *bank, struct gw_drift_reader *reader, uint64_t rows, gw_err *err)
{
    struct gw_drift_bank read = {.rows = rows};
    read.looked_row = gw_drift_take_u64(reader);
    read.now_ms = (int64_t)gw_drift_take_u64(reader);
    read.mean = gw_drift_take_f64(reader);
    gw_drift_take(reader, read.blocks.begin_ms, sizeof read.blocks.begin_ms);
    bool valid = reader->ok && reader->at == reader->bytes.size && rows <= GW_DRIFT_COUNT_MAX &&
                 read.looked_row <= rows && gw_drift_kept_time_valid(read.now_ms) && read.mean >= 0.0 &&
                 read.mean <= (double)GW_DRIFT_E_MAX;
    for (uint32_t i = 0; i < GW_DRIFT_BLOCKS; i++) {
        valid = valid && gw_drift_kept_time_valid(read.blocks.begin_ms[i]);
    }
    if (!valid) {
        return malformed(bank_name, err);
    }
    bank->rows = rows;
    bank->flushed_row = rows;
    bank->looked_row = read.looked_row;
    bank->now_ms = read.now_ms;
    bank->mean = read.mean;
    bank->blocks = read.blocks;
    bank->restored = true;
    return GW_OK;
}

static bool counts_valid(const uint8_t *counts, uint32_t rows)
{
    for (uint32_t block = 0; block < GW_DRIFT_BLOCKS; block++) {
        uint32_t sum = 0;
        for (uint32_t b = 0; b < rows; b++) {
            sum += counts[block * rows + b];
        }
        if (sum > GW_DRIFT_BLOCK_ROWS) {
            return false;
        }
    }
    return true;
}

// A failure leaves the stream half read; the bank is then good for nothing but freeing, as bank.h's caller starts anew.
static gw_status restore_stream(struct bank_stream *stream, const char *name, struct gw_drift_reader *reader,
                                uint64_t rows, gw_err *err)
{
    gw_drift_take(reader, stream->detector.tilt.lane, sizeof stream->detector.tilt.lane);
    gw_drift_take(reader, stream->detector.absence.lane, sizeof stream->detector.absence.lane);
    gw_drift_take(reader, stream->e, sizeof stream->e);
    bool valid = reader->ok && gw_drift_detector_valid(&stream->detector);
    for (int kind = 0; kind < BANK_KINDS; kind++) {
        uint8_t episode[GW_DRIFT_EPISODE_BYTES];
        stream->calm_row[kind] = gw_drift_take_u64(reader);
        stream->calm_ms[kind] = (int64_t)gw_drift_take_u64(reader);
        gw_drift_take(reader, episode, sizeof episode);
        if (!reader->ok) {
            return malformed(name, err);
        }
        GW_TRY(gw_drift_episode_load(&stream->episode[kind], episode, err));
        valid = valid && stream->calm_row[kind] <= rows && gw_drift_kept_time_valid(stream->calm_ms[kind]) &&
                stream->e[kind] >= 0.0f && stream->e[kind] <= GW_DRIFT_E_MAX;
    }
    gw_drift_take(reader, stream->counts,
                  (size_t)GW_DRIFT_BLOCKS * stream->feature->row_count * sizeof *stream->counts);
    if (stream->learned != NULL) {
        gw_drift_take(reader, stream->learned, sizeof *stream->learned);
        valid = valid && gw_drift_learned_valid(stream->learned);
    }
    if (!valid || !reader->ok || reader->at != reader->bytes.size ||
        !counts_valid(stream->counts, stream->feature->row_count)) {
        return malformed(name, err);
    }
    stream->restored_rows = rows;
    stream->restored = true;
    return GW_OK;
}

static struct bank_stream *find_stream(struct gw_drift_bank *bank, const char *name)
{
    size_t prefix = sizeof stream_prefix - 1;
    for (uint32_t i = 0; strncmp(name, stream_prefix, prefix) == 0 && i < bank->stream_count; i++) {
        if (strcmp(bank->streams[i].feature->name, name + prefix) == 0 && !bank->streams[i].restored) {
            return &bank->streams[i];
        }
    }
    return NULL;
}

gw_status gw_drift_bank_restore(struct gw_drift_bank *bank, const char *name, struct gw_slice bytes, gw_err *err)
{
    struct gw_drift_reader reader = {.bytes = bytes, .ok = true};
    uint32_t found_magic = gw_drift_take_u32(&reader);
    uint32_t version = gw_drift_take_u32(&reader);
    uint64_t fingerprint = gw_drift_take_u64(&reader);
    uint64_t rows = gw_drift_take_u64(&reader);
    if (!reader.ok || found_magic != magic || version != STATE_VERSION) {
        return malformed(name, err);
    }
    if (fingerprint != bank->profile->fingerprint) {
        return gw_fail(err, GW_E_MISMATCH, "state '%s': of profile %016llx, this is %016llx", name,
                       (unsigned long long)fingerprint, (unsigned long long)bank->profile->fingerprint);
    }
    if (strcmp(name, bank_name) == 0) {
        return restore_bank(bank, &reader, rows, err);
    }
    struct bank_stream *stream = find_stream(bank, name);
    if (stream == NULL) {
        return gw_fail(err, GW_E_NOT_FOUND, "state '%s': no stream of this profile waits for it", name);
    }
    return restore_stream(stream, name, &reader, rows, err);
}

gw_status gw_drift_bank_restored(struct gw_drift_bank *bank, gw_err *err)
{
    if (!bank->restored) {
        return gw_fail(err, GW_E_MISMATCH, "state '%s' is missing", bank_name);
    }
    for (uint32_t i = 0; i < bank->stream_count; i++) {
        const struct bank_stream *stream = &bank->streams[i];
        if (!stream->restored || stream->restored_rows != bank->rows) {
            return gw_fail(err, GW_E_MISMATCH, "state of '%s' is %s row %llu", stream->feature->name,
                           stream->restored ? "not of" : "missing at", (unsigned long long)bank->rows);
        }
    }
    gw_drift_bank_count_busy(bank);
    return GW_OK;
}
