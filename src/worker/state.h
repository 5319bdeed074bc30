// SPDX-License-Identifier: MIT
// Taking over state from its changelog: read one partition from a known offset to its end, committed records only.
//
// The end is settled by STREAMS rule 7: the log end H is asked first (uncommitted, so that open transactions count), then
// committed records are read on a hand-assigned handle until its end-of-partition event is at or past H. Open transactions
// are waited out. One partition at a time; one owning thread; no call blocks for longer than its budget.
#pragma once

#include "kafka/client.h"
#include "kafka/consumer.h"

struct gw_state_reader;

// `topic` is borrowed for the reader's life.
GW_CHECK gw_status gw_state_reader_new(const struct gw_kafka_options *client, const char *topic,
                                       struct gw_state_reader **ret_reader, gw_err *err);
void gw_state_reader_free(struct gw_state_reader *reader);

// -1 when idle, else the partition being read.
int32_t gw_state_reader_partition(const struct gw_state_reader *reader);

// Starts reading `partition` at `from_offset` (raised to the log start when compaction moved it). The reader is idle.
GW_CHECK gw_status gw_state_reader_begin(struct gw_state_reader *reader, int32_t partition, int64_t from_offset,
                                         gw_err *err);

// The same with an explicit end: committed records below `end_offset`. For bounded re-reads of an input.
GW_CHECK gw_status gw_state_reader_begin_until(struct gw_state_reader *reader, int32_t partition, int64_t from_offset,
                                               int64_t end_offset, gw_err *err);

// The offset from which a window of `window_ms` before the record at `offset` is complete, by append time. When nothing
// stands at `offset` yet, the window before now. Blocks for up to a few round trips.
GW_CHECK gw_status gw_state_reader_offset_before(struct gw_state_reader *reader, int32_t partition, int64_t offset,
                                                 int64_t window_ms, int64_t *ret_offset, gw_err *err);

// Reads for at most budget_ms, calling `visit` per record in offset order. *ret_done: the end was reached and the reader
// is idle again. A failing visit stops the step; the record is not visited again.
typedef gw_status (*gw_state_visit)(void *context, const struct gw_kafka_record *record, gw_err *err);
GW_CHECK gw_status gw_state_reader_step(struct gw_state_reader *reader, uint32_t budget_ms, gw_state_visit visit,
                                        void *context, bool *ret_done, gw_err *err);

// Gives up the partition in hand, as when it was revoked meanwhile.
void gw_state_reader_cancel(struct gw_state_reader *reader);
