// SPDX-License-Identifier: MIT
#include "worker/row_table.h"

#include "base/check.h"
#include "base/mem.h"

#include <string.h>

enum { ENTRIES_PER_CHUNK = 256 };

// Entries of one view stand in chunks that never move, so pointers stay valid; index = chunk * 256 + place.
struct pool {
    struct gw_map index; // (id0, id1) -> entry number + 1
    uint8_t **chunks;
    size_t chunk_count;
    size_t entry_bytes;
    uint32_t used_end;   // entries ever handed out
    uint32_t free_head;  // list of freed entries through next_dirty
    uint32_t sweep;      // eviction goes round from here
    size_t live;
};

struct gw_row_table {
    const struct gw_feature_set *set;
    size_t view_count;
    struct pool pools[GW_FEATURE_VIEWS_MAX];
    uint32_t dirty_head[GW_FEATURE_VIEWS_MAX];
    size_t bytes;
};

static struct gw_row_entry *entry_at(const struct pool *pool, uint32_t number)
{
    return (struct gw_row_entry *)(void *)(pool->chunks[number / ENTRIES_PER_CHUNK] +
                                           (number % ENTRIES_PER_CHUNK) * pool->entry_bytes);
}

gw_status gw_row_table_new(const struct gw_feature_set *set, struct gw_row_table **ret_table, gw_err *err)
{
    struct gw_row_table *table = gw_mem_calloc(1, sizeof *table);
    if (table == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a row table");
    }
    table->set = set;
    table->view_count = gw_feature_set_view_count(set);
    for (size_t v = 0; v < table->view_count; v++) {
        size_t row_bytes = GW_MAX(gw_feature_set_view(set, v)->row_bytes, GW_ROW_HEADER_BYTES);
        table->pools[v].entry_bytes = (sizeof(struct gw_row_entry) + row_bytes + 15) & ~(size_t)15;
        table->pools[v].free_head = GW_ROW_NONE;
        table->dirty_head[v] = GW_ROW_NONE;
    }
    *ret_table = table;
    return GW_OK;
}

void gw_row_table_free(struct gw_row_table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t v = 0; v < table->view_count; v++) {
        struct pool *pool = &table->pools[v];
        for (size_t i = 0; i < pool->chunk_count; i++) {
            gw_mem_free(pool->chunks[i]);
        }
        gw_mem_free(pool->chunks);
        gw_map_deinit(&pool->index);
    }
    gw_mem_free(table);
}

size_t gw_row_table_bytes(const struct gw_row_table *table)
{
    return table->bytes;
}

size_t gw_row_table_count(const struct gw_row_table *table)
{
    size_t count = 0;
    for (size_t v = 0; v < table->view_count; v++) {
        count += table->pools[v].live;
    }
    return count;
}

static uint32_t number_of(const struct pool *pool, const int64_t id[2])
{
    const uint64_t *value = gw_map_find(&pool->index, (uint64_t)id[0], (uint64_t)id[1]);
    return value != NULL ? (uint32_t)(*value - 1) : GW_ROW_NONE;
}

struct gw_row_entry *gw_row_table_find(const struct gw_row_table *table, size_t view_index, const int64_t id[2])
{
    const struct pool *pool = &table->pools[view_index];
    uint32_t number = number_of(pool, id);
    return number != GW_ROW_NONE ? entry_at(pool, number) : NULL;
}

static gw_status add_chunk(struct pool *pool)
{
    uint8_t **chunks = gw_mem_realloc(pool->chunks, pool->chunk_count + 1, sizeof *chunks);
    if (chunks == NULL) {
        return GW_E_MEMORY;
    }
    pool->chunks = chunks;
    uint8_t *chunk = gw_mem_aligned(64, ENTRIES_PER_CHUNK * pool->entry_bytes);
    if (chunk == NULL) {
        return GW_E_MEMORY;
    }
    pool->chunks[pool->chunk_count++] = chunk;
    return GW_OK;
}

static gw_status take_entry(struct gw_row_table *table, struct pool *pool, uint32_t *ret_number)
{
    if (pool->free_head != GW_ROW_NONE) {
        *ret_number = pool->free_head;
        pool->free_head = entry_at(pool, pool->free_head)->next_dirty;
    } else {
        if (pool->used_end == pool->chunk_count * ENTRIES_PER_CHUNK) {
            GW_TRY(add_chunk(pool));
        }
        *ret_number = pool->used_end++;
    }
    table->bytes += pool->entry_bytes;
    pool->live++;
    return GW_OK;
}

static void give_entry(struct gw_row_table *table, struct pool *pool, uint32_t number)
{
    struct gw_row_entry *entry = entry_at(pool, number);
    entry->used = false;
    entry->next_dirty = pool->free_head;
    pool->free_head = number;
    table->bytes -= pool->entry_bytes;
    pool->live--;
}

static bool set_bytes(const struct gw_feature_view *view, struct gw_row_entry *entry, struct gw_slice bytes)
{
    bool known = bytes.data != NULL && gw_row_check(view, bytes, NULL) == GW_OK;
    gw_row_init(view, entry->bytes);
    if (known) {
        memcpy(entry->bytes, bytes.data, bytes.size);
    }
    return bytes.data != NULL && !known;
}

gw_status gw_row_table_put(struct gw_row_table *table, size_t view_index, const int64_t id[2], struct gw_slice bytes,
                           int64_t changelog_end, bool *ret_reset, struct gw_row_entry **ret_entry, gw_err *err)
{
    struct pool *pool = &table->pools[view_index];
    uint32_t number = number_of(pool, id);
    if (number == GW_ROW_NONE) {
        uint64_t *value = NULL;
        bool inserted = false;
        if (take_entry(table, pool, &number) != GW_OK) {
            return gw_fail(err, GW_E_MEMORY, "no memory for another row");
        }
        if (gw_map_put(&pool->index, (uint64_t)id[0], (uint64_t)id[1], &value, &inserted) != GW_OK) {
            give_entry(table, pool, number);
            return gw_fail(err, GW_E_MEMORY, "no memory for the row index");
        }
        *value = (uint64_t)number + 1;
        struct gw_row_entry *fresh = entry_at(pool, number);
        *fresh = (struct gw_row_entry){
            .id = {id[0], id[1]}, .view_index = (uint32_t)view_index, .next_dirty = GW_ROW_NONE, .used = true};
    }
    struct gw_row_entry *entry = entry_at(pool, number);
    GW_ASSERT(!entry->dirty);
    bool reset = set_bytes(gw_feature_set_view(table->set, view_index), entry, bytes);
    entry->changelog_end = changelog_end;
    if (ret_reset != NULL) {
        *ret_reset = reset;
    }
    *ret_entry = entry;
    return GW_OK;
}

void gw_row_table_mark_dirty(struct gw_row_table *table, struct gw_row_entry *entry)
{
    if (!entry->dirty) {
        entry->dirty = true;
        entry->changelog_end = INT64_MAX;
        entry->next_dirty = table->dirty_head[entry->view_index];
        table->dirty_head[entry->view_index] = number_of(&table->pools[entry->view_index], entry->id);
    }
}

size_t gw_row_table_row_size(const struct gw_row_table *table, const struct gw_row_entry *entry)
{
    return gw_row_is_deleted(entry->bytes) ? GW_ROW_HEADER_BYTES
                                           : gw_feature_set_view(table->set, entry->view_index)->row_bytes;
}

static struct gw_row_entry *first_dirty_from(struct gw_row_table *table, size_t view)
{
    for (; view < table->view_count; view++) {
        if (table->dirty_head[view] != GW_ROW_NONE) {
            return entry_at(&table->pools[view], table->dirty_head[view]);
        }
    }
    return NULL;
}

struct gw_row_entry *gw_row_table_first_dirty(struct gw_row_table *table)
{
    return first_dirty_from(table, 0);
}

struct gw_row_entry *gw_row_table_next_dirty(struct gw_row_table *table, const struct gw_row_entry *entry)
{
    if (entry->next_dirty != GW_ROW_NONE) {
        return entry_at(&table->pools[entry->view_index], entry->next_dirty);
    }
    return first_dirty_from(table, (size_t)entry->view_index + 1);
}

void gw_row_table_clean(struct gw_row_table *table, int64_t changelog_end)
{
    for (size_t v = 0; v < table->view_count; v++) {
        uint32_t number = table->dirty_head[v];
        while (number != GW_ROW_NONE) {
            struct gw_row_entry *entry = entry_at(&table->pools[v], number);
            number = entry->next_dirty;
            entry->next_dirty = GW_ROW_NONE;
            entry->dirty = false;
            entry->changelog_end = changelog_end;
        }
        table->dirty_head[v] = GW_ROW_NONE;
    }
}

size_t gw_row_table_evict(struct gw_row_table *table, int64_t redis_offset, size_t bytes_wanted)
{
    size_t freed = 0;
    for (size_t v = 0; v < table->view_count && freed < bytes_wanted; v++) {
        struct pool *pool = &table->pools[v];
        for (uint32_t seen = 0; seen < pool->used_end && freed < bytes_wanted; seen++) {
            uint32_t number = pool->sweep < pool->used_end ? pool->sweep : 0;
            pool->sweep = number + 1;
            struct gw_row_entry *entry = entry_at(pool, number);
            if (entry->used && !entry->dirty && entry->changelog_end <= redis_offset) {
                gw_map_remove(&pool->index, (uint64_t)entry->id[0], (uint64_t)entry->id[1]);
                give_entry(table, pool, number);
                freed += pool->entry_bytes;
            }
        }
    }
    return freed;
}
