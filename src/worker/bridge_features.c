// SPDX-License-Identifier: MIT
#include "worker/bridge_features.h"

#include "base/clock.h"
#include "base/mem.h"
#include "feature/row.h"

#include <pthread.h>

struct connection {
    pthread_mutex_t lock; // guards the store, and the row borrowed from it
    struct gw_store *store;
};

struct gw_bridge_features {
    const struct gw_feature_set *set;
    uint64_t timeout_us;
    size_t count;
    struct connection connections[];
};

gw_status gw_bridge_features_new(const struct gw_runtime *runtime, size_t threads,
                                 struct gw_bridge_features **ret_features, gw_err *err)
{
    struct gw_bridge_features *features =
        gw_mem_calloc(1, sizeof *features + threads * sizeof features->connections[0]);
    if (features == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for connections to Redis");
    }
    features->set = runtime->features;
    features->timeout_us = (uint64_t)gw_config_duration_us(runtime->config, GW_OPT_REDIS_TIMEOUT);
    gw_status status = GW_OK;
    for (size_t i = 0; i < threads && status == GW_OK; i++) {
        pthread_mutex_init(&features->connections[i].lock, NULL);
        features->count++;
        status = gw_runtime_store(runtime, &features->connections[i].store, err);
    }
    if (status != GW_OK) {
        gw_bridge_features_free(features);
        return status;
    }
    *ret_features = features;
    return GW_OK;
}

void gw_bridge_features_free(struct gw_bridge_features *features)
{
    if (features == NULL) {
        return;
    }
    for (size_t i = 0; i < features->count; i++) {
        gw_store_free(features->connections[i].store);
        pthread_mutex_destroy(&features->connections[i].lock);
    }
    gw_mem_free(features);
}

// Locks a connection that is free, or else waits for one.
static struct connection *acquire(struct gw_bridge_features *features, int64_t id)
{
    for (size_t i = 0; i < features->count; i++) {
        if (pthread_mutex_trylock(&features->connections[i].lock) == 0) {
            return &features->connections[i];
        }
    }
    struct connection *connection = &features->connections[(uint64_t)id % features->count];
    pthread_mutex_lock(&connection->lock);
    return connection;
}

// What only serves other features is nobody's business.
static uint32_t drop_hidden(const struct gw_feature_set *set, struct gw_feature_value *values, size_t count)
{
    uint32_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        int index = gw_feature_set_find(set, values[i].name);
        if (index < 0 || !gw_feature_set_is_hidden(set, (size_t)index)) {
            values[kept++] = values[i];
        }
    }
    return kept;
}

static gw_status explain(const struct gw_feature_set *set, size_t view_index, struct gw_slice row, int64_t id,
                         struct gw_api_feature_row *ret_row, gw_err *err)
{
    const struct gw_feature_view *view = gw_feature_set_view(set, view_index);
    if (row.data == NULL) {
        return gw_fail(err, GW_E_NOT_FOUND, "%s %lld has no row", view->name, (long long)id);
    }
    GW_TRY(gw_row_check(view, row, err));
    if (gw_row_is_deleted(row.data)) {
        return gw_fail(err, GW_E_NOT_FOUND, "%s %lld was deleted", view->name, (long long)id);
    }
    size_t count = gw_feature_explain(set, view_index, row.data, gw_clock_wall_us(), ret_row->values,
                                      GW_COUNT_OF(ret_row->values));
    ret_row->value_count = drop_hidden(set, ret_row->values, GW_MIN(count, GW_COUNT_OF(ret_row->values)));
    ret_row->event_time_us = gw_row_event_time_us(row.data);
    ret_row->source_partition = (int32_t)gw_row_source_partition(row.data);
    ret_row->source_offset = gw_row_source_offset(row.data);
    ret_row->layout = view->fingerprint;
    return GW_OK;
}

gw_status gw_bridge_features_read(struct gw_bridge_features *features, enum gw_api_entity entity, int64_t id,
                                  struct gw_api_feature_row *ret_row, gw_err *err)
{
    const char *name = entity == GW_API_USER ? "user" : "tweet";
    int view_index = gw_feature_set_find_view(features->set, name);
    if (view_index < 0) {
        return gw_fail(err, GW_E_NOT_FOUND, "features.ini has no view '%s'", name);
    }
    const struct gw_row_key key = {
        .view = gw_feature_set_view(features->set, (size_t)view_index)->code, .id_count = 1, .id = {id, 0}};
    struct connection *connection = acquire(features, id);
    struct gw_slice row = {0};
    gw_status status = gw_store_read(connection->store, &key, 1, gw_clock_mono_us() + features->timeout_us, &row, err);
    if (status == GW_OK) {
        status = explain(features->set, (size_t)view_index, row, id, ret_row, err);
    }
    pthread_mutex_unlock(&connection->lock);
    return status;
}
