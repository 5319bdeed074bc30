// SPDX-License-Identifier: MIT
// The table of routes and models that lanes score by, and the place where it is swapped.
//
// A table is immutable and shared by reference count. Lanes take the current one for one batch each; the side thread puts
// another in its place, and gives tables that nobody uses any more back to the system: freeing a model unmaps megabytes,
// which no lane shall wait for.
#pragma once

#include "worker/score_model.h"

#include <pthread.h>

enum { GW_SCORE_ROUTES_MAX = 16 };

// One model's route with its models loaded.
struct gw_score_route {
    struct gw_route route;
    struct gw_score_model *targets[GW_ROUTE_TARGETS_MAX]; // as in route.targets
    struct gw_score_model *shadows[GW_ROUTE_SHADOWS_MAX]; // as in route.shadows; NULL: left out
};

struct gw_score_tables;

struct gw_score_table {
    atomic_uint refs;
    struct gw_score_tables *home; // where it goes when the last reference is let go
    struct gw_score_table *next;  // there
    size_t route_count;
    const struct gw_score_route *default_route; // into routes; NULL: no route of the default model
    struct gw_score_route routes[];
};

// The current table. Embedded; the fields are score_table.c's.
struct gw_score_tables {
    pthread_mutex_t lock; // guards current: taking a reference and the swap exclude each other
    struct gw_score_table *current;
    _Atomic(struct gw_score_table *) retired; // a stack: any thread pushes, one takes it whole
};

// Starts with an empty table.
GW_CHECK gw_status gw_score_tables_init(struct gw_score_tables *tables, gw_err *err);
void gw_score_tables_deinit(struct gw_score_tables *tables); // nobody else holds a table

// The table in force, with a reference. Any thread. Never NULL.
struct gw_score_table *gw_score_tables_acquire(struct gw_score_tables *tables);
void gw_score_table_unref(struct gw_score_table *table); // any thread; NULL is legal

// A table of these routes (copied; models shared), with one reference, for gw_score_tables_swap. At most
// GW_SCORE_ROUTES_MAX. GW_E_MEMORY only.
GW_CHECK gw_status gw_score_table_new(struct gw_score_tables *tables, const struct gw_score_route *const *routes,
                                      size_t count, const char *default_model, struct gw_score_table **ret_table,
                                      gw_err *err);

// Puts `table` (taken) in force.
void gw_score_tables_swap(struct gw_score_tables *tables, struct gw_score_table *table);

// Frees the tables that nobody uses any more, and with them models of which they had the last reference. One thread.
void gw_score_tables_reclaim(struct gw_score_tables *tables);

// The route of a model by name, empty: the default one; NULL.
const struct gw_score_route *gw_score_table_find(const struct gw_score_table *table, struct gw_slice name);
