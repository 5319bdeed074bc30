// SPDX-License-Identifier: MIT
#include "worker/simulate_sender.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>

enum {
    AWAY_WAIT_MS = 100,
    FLUSH_STEP_MS = 500,
    FLUSH_LIMIT_MS = 60000,
    FLUSH_STOPPED_MS = 10000,
    PROGRESS_US = 1000000
};

// The names of topics in the summary; all other topics are not ours to write.
static const struct {
    enum gw_topic topic;
    const char *name;
} kinds[] = {
    {GW_TOPIC_UNIFIED_USER_ACTIONS, "actions"},
    {GW_TOPIC_TWEET_EVENTS, "tweets"},
    {GW_TOPIC_SOCIAL_WRITE_EVENT, "follows"},
    {GW_TOPIC_USER_MODIFICATIONS, "profiles"},
};

gw_status gw_simulate_sender_init(struct gw_simulate_sender *sender, const struct gw_runtime *runtime,
                                  size_t queue_bytes_max, gw_err *err)
{
    const struct gw_kafka_producer_options options = {
        .client = &runtime->kafka, .kind = GW_KAFKA_PRODUCER_BULK, .queue_bytes_max = queue_bytes_max};
    *sender = (struct gw_simulate_sender){.runtime = runtime};
    gw_simulate_sender_begin(sender, "start");
    return gw_kafka_producer_new(&options, &sender->producer, err);
}

void gw_simulate_sender_deinit(struct gw_simulate_sender *sender)
{
    gw_kafka_producer_free(sender->producer);
    gw_buf_deinit(&sender->line);
    *sender = (struct gw_simulate_sender){0};
}

bool gw_simulate_sender_stopped(const struct gw_simulate_sender *sender)
{
    return sender->runtime->stop != NULL && atomic_load(sender->runtime->stop);
}

void gw_simulate_sender_begin(struct gw_simulate_sender *sender, const char *phase)
{
    sender->phase = phase;
    sender->phase_us = gw_clock_mono_us();
    sender->phase_counts = sender->counts;
    sender->behind_ms = 0;
    sender->behind_max_ms = 0;
    sender->shown_us = sender->phase_us;
    sender->shown_counts = sender->counts;
}

// ---- progress -------------------------------------------------------------------------------------------------------

static uint64_t events_between(const struct gw_simulate_counts *from, const struct gw_simulate_counts *to)
{
    uint64_t events = 0;
    for (size_t k = 0; k < GW_COUNT_OF(kinds); k++) {
        events += to->records[kinds[k].topic] - from->records[kinds[k].topic];
    }
    return events;
}

static uint64_t requests_between(const struct gw_simulate_counts *from, const struct gw_simulate_counts *to)
{
    return to->records[GW_TOPIC_PREDICTION_REQUESTS] - from->records[GW_TOPIC_PREDICTION_REQUESTS];
}

static void show_progress(struct gw_simulate_sender *sender)
{
    uint64_t now_us = gw_clock_mono_us();
    if (now_us - sender->shown_us < PROGRESS_US) {
        return;
    }
    double seconds = (double)(now_us - sender->shown_us) / 1e6;
    gw_log_info("simulate.progress",
                "phase=%s requests_per_s=%.0f candidates_per_s=%.0f events_per_s=%.0f behind_ms=%lld queued=%zu "
                "failed=%llu",
                sender->phase, (double)requests_between(&sender->shown_counts, &sender->counts) / seconds,
                (double)(sender->counts.candidates - sender->shown_counts.candidates) / seconds,
                (double)events_between(&sender->shown_counts, &sender->counts) / seconds, (long long)sender->behind_ms,
                gw_kafka_producer_queued(sender->producer),
                (unsigned long long)gw_kafka_producer_failed(sender->producer));
    sender->shown_us = now_us;
    sender->shown_counts = sender->counts;
}

void gw_simulate_sender_serve(struct gw_simulate_sender *sender, uint32_t timeout_ms)
{
    gw_kafka_producer_poll(sender->producer, timeout_ms);
    show_progress(sender);
}

// ---- sending --------------------------------------------------------------------------------------------------------

gw_status gw_simulate_sender_send(struct gw_simulate_sender *sender, enum gw_topic topic, int64_t key,
                                  struct gw_slice value, size_t candidates, gw_err *err)
{
    uint8_t key_bytes[8];
    gw_store_be64(key_bytes, (uint64_t)key);
    const struct gw_kafka_output output = {
        .topic = gw_runtime_topic(sender->runtime, topic),
        .partition = (int32_t)gw_hash_partition_of_id(key, gw_runtime_partitions(sender->runtime, topic)),
        .key = gw_slice_make(key_bytes, sizeof key_bytes),
        .value = value,
    };
    bool waited = false;
    gw_status status = GW_OK;
    while ((status = gw_kafka_produce(sender->producer, &output, err)) != GW_OK) {
        if (gw_status_class(status) != GW_CLASS_RETRY) {
            return status;
        }
        if (gw_simulate_sender_stopped(sender)) {
            return GW_OK;
        }
        if (!waited) {
            gw_log_warn("simulate.waiting", "topic=%s reason='%s'", output.topic, err != NULL ? err->message : "");
            waited = true;
        }
        gw_simulate_sender_serve(sender, AWAY_WAIT_MS);
    }
    sender->counts.records[topic]++;
    sender->counts.candidates += candidates;
    sender->counts.bytes += value.size;
    sender->behind_max_ms = GW_MAX(sender->behind_max_ms, sender->behind_ms);
    return GW_OK;
}

gw_status gw_simulate_sender_finish(struct gw_simulate_sender *sender, gw_err *err)
{
    uint64_t began_us = gw_clock_mono_us();
    uint64_t limit_ms = 0; // somebody who gave the order to stop waits
    gw_status status = GW_OK;
    do {
        status = gw_kafka_producer_flush(sender->producer, FLUSH_STEP_MS, err);
        show_progress(sender);
        limit_ms = gw_simulate_sender_stopped(sender) ? FLUSH_STOPPED_MS : FLUSH_LIMIT_MS;
    } while (status == GW_E_TIMEOUT && gw_clock_mono_us() - began_us < limit_ms * 1000);
    uint64_t lost = gw_kafka_producer_failed(sender->producer) + gw_kafka_producer_queued(sender->producer);
    if (lost > 0 && status != GW_OK && gw_status_class(status) == GW_CLASS_RETRY) {
        return gw_fail_context(err, GW_E_UNAVAILABLE, "%llu records were not delivered", (unsigned long long)lost);
    }
    if (lost > 0 && status == GW_OK) { // known to an earlier flush
        return gw_fail(err, GW_E_UNAVAILABLE, "%llu records were not delivered", (unsigned long long)lost);
    }
    return status;
}

// ---- summary --------------------------------------------------------------------------------------------------------

gw_status gw_simulate_sender_summary(struct gw_simulate_sender *sender, FILE *to, gw_err *err)
{
    const struct gw_simulate_counts *from = &sender->phase_counts;
    double seconds = GW_MAX((double)(gw_clock_mono_us() - sender->phase_us) / 1e6, 1e-6);
    uint64_t requests = requests_between(from, &sender->counts);
    uint64_t candidates = sender->counts.candidates - from->candidates;
    uint64_t events = events_between(from, &sender->counts);
    struct gw_json_writer json;
    gw_buf_clear(&sender->line);
    gw_json_writer_init(&json, &sender->line);
    gw_json_object_begin(&json);
    gw_json_write_key(&json, "phase");
    gw_json_write_text(&json, sender->phase);
    gw_json_write_key(&json, "seconds");
    gw_json_write_double(&json, seconds);
    gw_json_write_key(&json, "requests");
    gw_json_write_u64(&json, requests);
    gw_json_write_key(&json, "requests_per_s");
    gw_json_write_double(&json, (double)requests / seconds);
    gw_json_write_key(&json, "candidates");
    gw_json_write_u64(&json, candidates);
    gw_json_write_key(&json, "candidates_per_s");
    gw_json_write_double(&json, (double)candidates / seconds);
    gw_json_write_key(&json, "events");
    gw_json_object_begin(&json);
    for (size_t k = 0; k < GW_COUNT_OF(kinds); k++) {
        gw_json_write_key(&json, kinds[k].name);
        gw_json_write_u64(&json, sender->counts.records[kinds[k].topic] - from->records[kinds[k].topic]);
    }
    gw_json_object_end(&json);
    gw_json_write_key(&json, "events_per_s");
    gw_json_write_double(&json, (double)events / seconds);
    gw_json_write_key(&json, "bytes");
    gw_json_write_u64(&json, sender->counts.bytes - from->bytes);
    gw_json_write_key(&json, "behind_max_ms");
    gw_json_write_i64(&json, sender->behind_max_ms);
    gw_json_write_key(&json, "failed");
    gw_json_write_u64(&json, gw_kafka_producer_failed(sender->producer));
    gw_json_write_key(&json, "unacknowledged");
    gw_json_write_u64(&json, gw_kafka_producer_queued(sender->producer));
    gw_json_object_end(&json);
    GW_TRY(gw_json_writer_finish(&json, err));
    if (fwrite(sender->line.data, 1, sender->line.size, to) != sender->line.size || fputc('\n', to) == EOF ||
        fflush(to) != 0) {
        return gw_fail(err, GW_E_IO, "the summary: %s", strerror(errno));
    }
    return GW_OK;
}
