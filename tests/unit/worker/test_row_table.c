// SPDX-License-Identifier: MIT
#include "support/testkit.h"

#include "base/mem.h"
#include "worker/entity.h"
#include "worker/row_table.h"

#include <string.h>

static const char definitions[] = "[view user]\ncode = U\nkeys = 1\nsides = actor\n"
                                  "[view tweet]\ncode = T\nkeys = 1\nsides = tweet\n"
                                  "[feature user.acts]\nview = user\naggregate = total\nwhere = kind = ACTION\n"
                                  "[feature tweet.acts]\nview = tweet\naggregate = total\nwhere = kind = ACTION\n";
enum { USER, TWEET };

struct fixture {
    struct gw_entity_vocabulary vocabulary;
    struct gw_feature_set *set;
    struct gw_row_table *table;
};

static int setup(void **state)
{
    struct fixture *fixture = gw_mem_calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    gw_err err = {0};
    gw_entity_vocabulary_init(&fixture->vocabulary);
    assert_ok_err(gw_feature_set_compile("test", definitions, strlen(definitions), &fixture->vocabulary.vocabulary,
                                         &fixture->set, &err),
                  &err);
    assert_ok(gw_row_table_new(fixture->set, &fixture->table, NULL));
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    gw_row_table_free(fixture->table);
    gw_feature_set_free(fixture->set);
    gw_mem_free(fixture);
    return 0;
}

static struct gw_row_entry *put(struct fixture *fixture, size_t view, int64_t id, int64_t changelog_end)
{
    struct gw_row_entry *entry = NULL;
    const int64_t ids[2] = {id, 0};
    assert_ok(gw_row_table_put(fixture->table, view, ids, (struct gw_slice){0}, changelog_end, NULL, &entry, NULL));
    return entry;
}

static struct gw_row_entry *find(struct fixture *fixture, size_t view, int64_t id)
{
    const int64_t ids[2] = {id, 0};
    return gw_row_table_find(fixture->table, view, ids);
}

static size_t count_dirty(struct fixture *fixture)
{
    size_t count = 0;
    for (struct gw_row_entry *entry = gw_row_table_first_dirty(fixture->table); entry != NULL;
         entry = gw_row_table_next_dirty(fixture->table, entry)) {
        assert_true(entry->dirty);
        count++;
    }
    return count;
}

static void rows_of_two_views_with_one_id_are_two_rows(void **state)
{
    struct fixture *fixture = *state;
    struct gw_row_entry *user = put(fixture, USER, 7, 0);
    struct gw_row_entry *tweet = put(fixture, TWEET, 7, 0);
    assert_ptr_not_equal(user, tweet);
    assert_ptr_equal(find(fixture, USER, 7), user);
    assert_ptr_equal(find(fixture, TWEET, 7), tweet);
    assert_null(find(fixture, USER, 8));
    assert_int_equal(gw_row_table_count(fixture->table), 2);
}

static void pointers_stay_valid_while_the_table_grows(void **state)
{
    struct fixture *fixture = *state;
    struct gw_row_entry *first = put(fixture, USER, 1, 0);
    for (int64_t id = 2; id <= 5000; id++) {
        put(fixture, USER, id, 0);
    }
    assert_ptr_equal(find(fixture, USER, 1), first);
    for (int64_t id = 1; id <= 5000; id++) {
        assert_int_equal(find(fixture, USER, id)->id[0], id);
    }
}

static void dirty_rows_are_listed_once_until_cleaned(void **state)
{
    struct fixture *fixture = *state;
    for (int64_t id = 1; id <= 600; id++) { // over several chunks and both views
        struct gw_row_entry *entry = put(fixture, id % 2 == 0 ? USER : TWEET, id, 0);
        gw_row_table_mark_dirty(fixture->table, entry);
        gw_row_table_mark_dirty(fixture->table, entry);
    }
    assert_int_equal(count_dirty(fixture), 600);
    gw_row_table_clean(fixture->table, 50);
    assert_int_equal(count_dirty(fixture), 0);
    assert_int_equal(find(fixture, USER, 600)->changelog_end, 50);
    gw_row_table_mark_dirty(fixture->table, find(fixture, USER, 600));
    assert_int_equal(count_dirty(fixture), 1);
}

static void only_rows_that_redis_holds_are_evicted(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, USER, 1, 10);
    put(fixture, USER, 2, 11);
    gw_row_table_mark_dirty(fixture->table, put(fixture, USER, 3, 5));
    put(fixture, TWEET, 4, 9);
    size_t before = gw_row_table_bytes(fixture->table);
    size_t freed = gw_row_table_evict(fixture->table, 10, SIZE_MAX);
    assert_true(freed > 0);
    assert_int_equal(gw_row_table_bytes(fixture->table), before - freed);
    assert_null(find(fixture, USER, 1));
    assert_null(find(fixture, TWEET, 4));
    assert_non_null(find(fixture, USER, 2)); // Redis is not there yet
    assert_non_null(find(fixture, USER, 3)); // changed since
    assert_int_equal(count_dirty(fixture), 1);
}

static void eviction_stops_when_enough_is_free_and_goes_round(void **state)
{
    struct fixture *fixture = *state;
    for (int64_t id = 1; id <= 100; id++) {
        put(fixture, USER, id, 0);
    }
    size_t per_row = gw_row_table_bytes(fixture->table) / 100;
    for (size_t left = 100; left > 0; left -= 10) {
        assert_int_equal(gw_row_table_evict(fixture->table, 0, 10 * per_row), 10 * per_row);
        assert_int_equal(gw_row_table_count(fixture->table), left - 10);
    }
    assert_int_equal(gw_row_table_evict(fixture->table, 0, 1), 0);
    assert_int_equal(gw_row_table_bytes(fixture->table), 0);
}

static void places_of_evicted_rows_are_used_again_empty(void **state)
{
    struct fixture *fixture = *state;
    struct gw_row_entry *old = put(fixture, USER, 1, 0);
    memset(old->bytes + GW_ROW_HEADER_BYTES, 0xee, 8);
    gw_row_table_evict(fixture->table, 0, SIZE_MAX);
    struct gw_row_entry *fresh = put(fixture, USER, 2, 0);
    uint8_t empty[GW_FEATURE_ROW_BYTES_MAX];
    const struct gw_feature_view *view = gw_feature_set_view(fixture->set, USER);
    gw_row_init(view, empty);
    assert_memory_equal(fresh->bytes, empty, view->row_bytes);
    assert_false(fresh->dirty);
    assert_int_equal(fresh->id[0], 2);
}

static void bytes_are_taken_over_and_foreign_ones_start_anew(void **state)
{
    struct fixture *fixture = *state;
    const struct gw_feature_view *view = gw_feature_set_view(fixture->set, USER);
    const int64_t id[2] = {1, 0};
    uint8_t row[GW_FEATURE_ROW_BYTES_MAX];
    struct gw_row_entry *entry = NULL;
    bool reset = true;
    gw_row_init(view, row);
    row[GW_ROW_HEADER_BYTES] = 42;
    row[GW_ROW_NULLS_OFFSET] = 0;
    assert_ok(gw_row_table_put(fixture->table, USER, id, gw_slice_make(row, view->row_bytes), 3, &reset, &entry, NULL));
    assert_false(reset);
    assert_memory_equal(entry->bytes, row, view->row_bytes);
    row[0] ^= 1; // another layout
    assert_ok(gw_row_table_put(fixture->table, USER, id, gw_slice_make(row, view->row_bytes), 4, &reset, &entry, NULL));
    assert_true(reset);
    gw_row_init(view, row);
    assert_memory_equal(entry->bytes, row, view->row_bytes);
    assert_ok(gw_row_table_put(fixture->table, USER, id, gw_slice_make(row, 5), 4, &reset, &entry, NULL)); // damaged
    assert_true(reset);
    assert_int_equal(gw_row_table_count(fixture->table), 1);
}

static void a_deleted_row_is_kept_as_its_header(void **state)
{
    struct fixture *fixture = *state;
    const struct gw_feature_view *view = gw_feature_set_view(fixture->set, USER);
    const int64_t id[2] = {1, 0};
    struct gw_row_entry *entry = put(fixture, USER, 1, 0);
    assert_int_equal(gw_row_table_row_size(fixture->table, entry), view->row_bytes);
    gw_row_mark_deleted(view, entry->bytes, 1000);
    assert_int_equal(gw_row_table_row_size(fixture->table, entry), GW_ROW_HEADER_BYTES);
    uint8_t header[GW_ROW_HEADER_BYTES];
    bool reset = true;
    memcpy(header, entry->bytes, sizeof header);
    assert_ok(
        gw_row_table_put(fixture->table, USER, id, gw_slice_make(header, sizeof header), 1, &reset, &entry, NULL));
    assert_false(reset);
    assert_true(gw_row_is_deleted(entry->bytes));
}

static void every_failed_allocation_leaves_a_table_that_works(void **state)
{
    struct fixture *fixture = *state;
    const int64_t id[2] = {1, 0};
    struct gw_row_entry *entry = NULL;
    unsigned long n = 1;
    for (; n < 10; n++) {
        gw_mem_fail_nth(n);
        gw_status status = gw_row_table_put(fixture->table, USER, id, (struct gw_slice){0}, 0, NULL, &entry, NULL);
        gw_mem_fail_nth(0);
        if (status == GW_OK) {
            break;
        }
        assert_int_equal(status, GW_E_MEMORY);
        assert_null(find(fixture, USER, 1));
        assert_int_equal(gw_row_table_count(fixture->table), 0);
        assert_int_equal(gw_row_table_bytes(fixture->table), 0);
    }
    assert_in_range(n, 2, 9);
    assert_ptr_equal(find(fixture, USER, 1), entry);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(rows_of_two_views_with_one_id_are_two_rows),        TEST(pointers_stay_valid_while_the_table_grows),
        TEST(dirty_rows_are_listed_once_until_cleaned),          TEST(only_rows_that_redis_holds_are_evicted),
        TEST(eviction_stops_when_enough_is_free_and_goes_round), TEST(places_of_evicted_rows_are_used_again_empty),
        TEST(bytes_are_taken_over_and_foreign_ones_start_anew),  TEST(a_deleted_row_is_kept_as_its_header),
        TEST(every_failed_allocation_leaves_a_table_that_works),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
