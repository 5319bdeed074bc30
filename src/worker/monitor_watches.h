// SPDX-License-Identifier: MIT
// The versions that are watched for drift on one input partition: each has a watch, made over the version's reference
// when it is first sampled, kept in the changelog, and retired when the version is served no more.
//
// What a watch is is said by a table of functions: a bank over features (monitor_features.c), or losses of heads
// (monitor_concept.c).
//
//   - A version whose newest sample is more than `idle_ms` older than another one's of the same model is retired: its
//     open alerts close and its entries go. So is the version sampled longest ago when there are more than
//     `versions_max`. Which version that is follows from the watches' states, so a replay retires the same ones.
//   - Entries that cannot be put back (of another build, or whose reference is gone) are taken out by the next flush,
//     and their watch starts anew; that is logged. Alerts that were open then get no
//     close: views show them as stale.
//
// One owning thread.
#pragma once

#include "drift/bank.h"
#include "worker/monitor_alert.h"
#include "worker/monitor_changelog.h"
#include "worker/monitor_entries.h"
#include "worker/monitor_quality.h" // gw_monitor_state_sink
#include "worker/monitor_references.h"

// A watch is the maker's own struct; sinks are drift's.
struct gw_monitor_watch_ops {
    // Over a reference that is ready. GW_E_MEMORY; GW_E_INVALID: this reference cannot be watched.
    gw_status (*make)(void *context, const struct gw_monitor_reference *reference, void **ret_watch, gw_err *err);
    void (*free)(void *watch);
    int64_t (*newest_ms)(const void *watch); // time of its newest row
    double (*threshold)(const void *watch);  // evidence that one stream alone must reach
    uint32_t (*open_alerts)(const void *watch);
    // A close for each open episode.
    gw_status (*retire)(void *watch, const struct gw_drift_sink *sink, gw_err *err);
    // What changed since the last flush, and the names of all that may ever have been flushed.
    gw_status (*flush)(void *watch, const struct gw_drift_sink *sink, gw_err *err);
    gw_status (*names)(const void *watch, gw_status (*visit)(void *context, const char *name, gw_err *err),
                       void *context, gw_err *err);
    gw_status (*restore)(void *watch, const char *name, struct gw_slice bytes, gw_err *err);
    gw_status (*restored)(void *watch, gw_err *err); // after the last
};

struct gw_monitor_watches_options {
    const struct gw_monitor_watch_ops *ops;
    void *context;      // of ops->make
    const char *family; // of its entries (monitor_changelog.h)
    gw_monitor_reference_get reference;
    void *reference_context;
    uint32_t versions_max; // > 0
    int64_t idle_ms;       // > 0
};

// A version in the table; valid until the next call that may retire or make one.
struct gw_monitor_watched {
    struct gw_slice model;
    int32_t version;
    const struct gw_monitor_reference *reference;
    void *watch;
    char text[GW_MONITOR_MODEL_BYTES_MAX];
};

struct gw_monitor_watches;

// NULL without memory.
GW_CHECK struct gw_monitor_watches *gw_monitor_watches_new(const struct gw_monitor_watches_options *options);
void gw_monitor_watches_free(struct gw_monitor_watches *watches);

// Where the alerts of a call go, and the append time of the record that it is about.
struct gw_monitor_alert_place {
    gw_monitor_alert_sink sink;
    void *context;
    int64_t at_ms;
};

// The version's reference: the watched one's, else asked for.
GW_CHECK gw_status gw_monitor_watches_reference(struct gw_monitor_watches *watches, struct gw_slice model,
                                                int32_t version, const struct gw_monitor_reference **ret_reference,
                                                gw_err *err);

// A version gave a row of time now_ms: retires those of the same model that have been idle for too long.
GW_CHECK gw_status gw_monitor_watches_seen(struct gw_monitor_watches *watches, struct gw_slice model, int32_t version,
                                           int64_t now_ms, const struct gw_monitor_alert_place *place, gw_err *err);

// Whether a row of time now_ms comes so late that its version would have to be retired at once: another one of the
// model has had rows more than idle_ms after it.
bool gw_monitor_watches_late(const struct gw_monitor_watches *watches, struct gw_slice model, int64_t now_ms);

// Finds the version's watch or makes it, over a reference that is ready. GW_E_INVALID: it cannot be watched.
GW_CHECK gw_status gw_monitor_watches_get(struct gw_monitor_watches *watches, struct gw_slice model, int32_t version,
                                          const struct gw_monitor_reference *reference,
                                          const struct gw_monitor_alert_place *place,
                                          struct gw_monitor_watched **ret_watched, gw_err *err);

// Whose alarms a watch's are, for gw_monitor_alert_say.
struct gw_monitor_alert_to gw_monitor_watches_alert_to(const struct gw_monitor_watches *watches,
                                                       const struct gw_monitor_watched *watched,
                                                       const struct gw_monitor_alert_place *place);

GW_CHECK gw_status gw_monitor_watches_flush(struct gw_monitor_watches *watches, gw_monitor_state_sink sink,
                                            void *context, gw_err *err);

// One entry of the changelog, in its order: later ones of a name replace earlier ones. *ret_is: whether it is of this
// family. GW_E_MALFORMED, GW_E_TOO_LARGE, GW_E_MEMORY.
GW_CHECK gw_status gw_monitor_watches_restore(struct gw_monitor_watches *watches, struct gw_slice model,
                                              struct gw_slice detector, struct gw_slice state, bool *ret_is,
                                              gw_err *err);
// After the last: makes the watches. RETRY class: a reference cannot be said now; call it again.
GW_CHECK gw_status gw_monitor_watches_restored(struct gw_monitor_watches *watches, gw_err *err);

struct gw_monitor_watches_stats {
    uint32_t versions;
    uint32_t open_alerts;
    uint64_t retired; // since this was made, for any reason
};
struct gw_monitor_watches_stats gw_monitor_watches_stats(const struct gw_monitor_watches *watches);
