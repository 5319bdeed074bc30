// SPDX-License-Identifier: MIT
#include "worker/dead_letter.h"

#include "worker/loop.h"

#include <stdio.h>
#include <stdlib.h>

enum { ORIGINAL_HEADERS_MAX = 24, OWN_HEADERS = 6 }; // together within what a producer takes: 32

static uint32_t next_attempt(const struct gw_kafka_header *header)
{
    char digits[12] = {0};
    memcpy(digits, header->value.data, GW_MIN(header->value.size, sizeof digits - 1));
    unsigned long attempt = strtoul(digits, NULL, 10);
    return attempt < 1000000 ? (uint32_t)attempt + 1 : 1;
}

gw_status gw_dead_letter_emit(struct gw_loop *loop, const char *dlq_topic, const char *topic,
                              const struct gw_kafka_record *record, gw_status status, const char *reason, gw_err *err)
{
    struct gw_kafka_header headers[ORIGINAL_HEADERS_MAX + OWN_HEADERS];
    size_t count = gw_kafka_message_headers(record->message, headers, ORIGINAL_HEADERS_MAX);
    uint32_t attempt = 1;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) { // a record that came from a replay carries our headers already
        if (strcmp(headers[i].name, GW_DEAD_LETTER_ATTEMPT_HEADER) == 0) {
            attempt = next_attempt(&headers[i]);
        } else if (strncmp(headers[i].name, "__streams.errors.", strlen("__streams.errors.")) != 0) {
            headers[kept++] = headers[i];
        }
    }

    char partition[12];
    char offset[24];
    char attempts[12];
    snprintf(partition, sizeof partition, "%d", record->partition);
    snprintf(offset, sizeof offset, "%lld", (long long)record->offset);
    snprintf(attempts, sizeof attempts, "%u", attempt);
    const struct gw_kafka_header own[OWN_HEADERS] = {
        {"__streams.errors.exception", gw_slice_text(gw_status_name(status))},
        {"__streams.errors.message", gw_slice_text(reason)},
        {"__streams.errors.topic", gw_slice_text(topic)},
        {"__streams.errors.partition", gw_slice_text(partition)},
        {"__streams.errors.offset", gw_slice_text(offset)},
        {GW_DEAD_LETTER_ATTEMPT_HEADER, gw_slice_text(attempts)},
    };
    memcpy(headers + kept, own, sizeof own);

    const struct gw_kafka_output output = {
        .topic = dlq_topic,
        .partition = -1,
        .key = record->key,
        .value = record->value,
        .headers = headers,
        .header_count = kept + OWN_HEADERS,
    };
    return gw_loop_emit(loop, &output, err);
}
