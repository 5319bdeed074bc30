// SPDX-License-Identifier: MIT
#include "worker/score_table.h"

#include "base/check.h"
#include "base/mem.h"

#include <string.h>

static void share_models(struct gw_score_route *route)
{
    for (uint32_t i = 0; i < route->route.target_count; i++) {
        (void)gw_score_model_ref(route->targets[i]);
    }
    for (uint32_t i = 0; i < route->route.shadow_count; i++) {
        if (route->shadows[i] != NULL) {
            (void)gw_score_model_ref(route->shadows[i]);
        }
    }
}

static void free_table(struct gw_score_table *table)
{
    for (size_t r = 0; r < table->route_count; r++) {
        const struct gw_score_route *route = &table->routes[r];
        for (uint32_t i = 0; i < route->route.target_count; i++) {
            gw_score_model_unref(route->targets[i]);
        }
        for (uint32_t i = 0; i < route->route.shadow_count; i++) {
            gw_score_model_unref(route->shadows[i]);
        }
    }
    gw_mem_free(table);
}

gw_status gw_score_table_new(struct gw_score_tables *tables, const struct gw_score_route *const *routes, size_t count,
                             const char *default_model, struct gw_score_table **ret_table, gw_err *err)
{
    GW_ASSERT(count <= GW_SCORE_ROUTES_MAX);
    struct gw_score_table *table = gw_mem_calloc(1, sizeof *table + count * sizeof table->routes[0]);
    if (table == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a table of %zu routes", count);
    }
    atomic_init(&table->refs, 1);
    table->home = tables;
    table->route_count = count;
    for (size_t i = 0; i < count; i++) {
        table->routes[i] = *routes[i];
        share_models(&table->routes[i]);
        if (strcmp(table->routes[i].route.model, default_model) == 0) {
            table->default_route = &table->routes[i];
        }
    }
    *ret_table = table;
    return GW_OK;
}

gw_status gw_score_tables_init(struct gw_score_tables *tables, gw_err *err)
{
    *tables = (struct gw_score_tables){0};
    GW_TRY(gw_score_table_new(tables, NULL, 0, "", &tables->current, err));
    pthread_mutex_init(&tables->lock, NULL);
    return GW_OK;
}

void gw_score_tables_deinit(struct gw_score_tables *tables)
{
    if (tables->current == NULL) {
        return;
    }
    gw_score_table_unref(tables->current);
    tables->current = NULL;
    gw_score_tables_reclaim(tables);
    pthread_mutex_destroy(&tables->lock);
}

struct gw_score_table *gw_score_tables_acquire(struct gw_score_tables *tables)
{
    pthread_mutex_lock(&tables->lock);
    struct gw_score_table *table = tables->current;
    atomic_fetch_add_explicit(&table->refs, 1, memory_order_relaxed); // the lock keeps it alive meanwhile
    pthread_mutex_unlock(&tables->lock);
    return table;
}

void gw_score_table_unref(struct gw_score_table *table)
{
    if (table == NULL || atomic_fetch_sub_explicit(&table->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    struct gw_score_tables *home = table->home;
    table->next = atomic_load_explicit(&home->retired, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&home->retired, &table->next, table, memory_order_release,
                                                  memory_order_relaxed)) {
    }
}

void gw_score_tables_swap(struct gw_score_tables *tables, struct gw_score_table *table)
{
    pthread_mutex_lock(&tables->lock);
    struct gw_score_table *former = tables->current;
    tables->current = table;
    pthread_mutex_unlock(&tables->lock);
    gw_score_table_unref(former);
}

void gw_score_tables_reclaim(struct gw_score_tables *tables)
{
    // The whole stack is taken at once, so that no thread ever reads `next` of a table that another one frees.
    struct gw_score_table *table = atomic_exchange_explicit(&tables->retired, NULL, memory_order_acquire);
    while (table != NULL) {
        struct gw_score_table *next = table->next;
        free_table(table);
        table = next;
    }
}

const struct gw_score_route *gw_score_table_find(const struct gw_score_table *table, struct gw_slice name)
{
    if (name.size == 0) {
        return table->default_route;
    }
    for (size_t i = 0; i < table->route_count; i++) {
        if (gw_slice_is(name, table->routes[i].route.model)) {
            return &table->routes[i];
        }
    }
    return NULL;
}
