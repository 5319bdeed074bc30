// SPDX-License-Identifier: MIT
#include "support/testkit.h"

#include "records/model_route.h"
#include "worker/score_route.h"

#include <string.h>

enum { VERSIONS_MAX = 20 };

static const char digest[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

struct made {
    struct gw_model_route record;
    struct gw_route_target targets[VERSIONS_MAX];
    struct gw_route_target shadows[VERSIONS_MAX];
};

// A champion, a canary and a shadow.
static struct made *make(struct made *made)
{
    *made = (struct made){
        .record = {
            .model_name = gw_slice_text("heavy-ranker"), .sequence = 7, .salt = gw_slice_text("salt"), .at_ms = 1234}};
    for (int32_t i = 0; i < VERSIONS_MAX; i++) {
        made->targets[i] = (struct gw_route_target){
            .version = i + 1, .variant = gw_slice_text("canary"), .digest = gw_slice_text(digest)};
        made->shadows[i] = made->targets[i];
        made->shadows[i].version = 100 + i;
    }
    made->targets[0].variant = gw_slice_text("champion");
    made->targets[0].weight = 9000;
    made->targets[1].weight = 1000;
    made->record.targets.items = made->targets;
    made->record.targets.count = 2;
    made->record.shadows.items = made->shadows;
    made->record.shadows.count = 1;
    return made;
}

static gw_status read(const struct made *made, struct gw_route *route)
{
    struct gw_buf body = {0};
    struct gw_arena arena;
    gw_arena_init(&arena, 4096, 1 << 20);
    assert_ok(gw_model_route_encode(&made->record, &body));
    gw_status status = gw_score_route_read(gw_buf_slice(&body), &arena, route, NULL);
    gw_arena_deinit(&arena);
    gw_buf_deinit(&body);
    return status;
}

static void a_record_becomes_a_route(void **state)
{
    (void)state;
    struct made made;
    struct gw_route route;
    assert_ok(read(make(&made), &route));
    assert_string_equal(route.model, "heavy-ranker");
    assert_string_equal(route.salt, "salt");
    assert_int_equal(route.sequence, 7);
    assert_int_equal(route.at_ms, 1234);
    assert_int_equal(route.target_count, 2);
    assert_string_equal(route.targets[0].variant, "champion");
    assert_int_equal(route.targets[1].version, 2);
    assert_int_equal(route.targets[1].weight, 1000);
    assert_string_equal(route.targets[1].digest, digest);
    assert_int_equal(route.shadow_count, 1);
    assert_int_equal(route.shadows[0].version, 100);
}

static void what_has_no_room_or_breaks_a_rule_is_refused(void **state)
{
    (void)state;
    struct made made;
    struct gw_route route;
    char name[GW_ROUTE_NAME_BYTES + 1];
    memset(name, 'm', sizeof name);

    make(&made)->record.model_name = gw_slice_make(name, GW_ROUTE_NAME_BYTES);
    assert_fails(read(&made, &route), GW_E_INVALID);
    make(&made)->record.model_name = gw_slice_make("a\0b", 3);
    assert_fails(read(&made, &route), GW_E_INVALID);
    make(&made)->record.model_name = (struct gw_slice){0};
    assert_fails(read(&made, &route), GW_E_INVALID);
    make(&made)->record.salt = gw_slice_make(name, GW_ROUTE_SALT_BYTES);
    assert_fails(read(&made, &route), GW_E_INVALID);
    make(&made)->targets[1].digest = gw_slice_make(name, GW_ROUTE_DIGEST_BYTES);
    assert_fails(read(&made, &route), GW_E_INVALID);
    make(&made)->targets[1].weight = -1000;
    assert_fails(read(&made, &route), GW_E_INVALID);
    make(&made)->targets[1].weight = 999;
    assert_fails(read(&made, &route), GW_E_INVALID);
    make(&made)->record.targets.count = GW_ROUTE_TARGETS_MAX + 1;
    assert_fails(read(&made, &route), GW_E_INVALID);
    make(&made)->record.shadows.count = GW_ROUTE_SHADOWS_MAX + 1;
    assert_fails(read(&made, &route), GW_E_INVALID);
}

static void bytes_that_are_no_record_are_malformed(void **state)
{
    (void)state;
    struct made made;
    struct gw_buf body = {0};
    struct gw_route route;
    struct gw_arena arena;
    gw_arena_init(&arena, 4096, 1 << 20);
    assert_ok(gw_model_route_encode(&make(&made)->record, &body));
    for (size_t size = 0; size < body.size; size++) { // cut anywhere
        gw_arena_clear(&arena);
        assert_fails(gw_score_route_read(gw_slice_make(body.data, size), &arena, &route, NULL), GW_E_MALFORMED);
    }
    gw_arena_deinit(&arena);
    gw_buf_deinit(&body);
}

GW_TESTS(a_record_becomes_a_route, what_has_no_room_or_breaks_a_rule_is_refused, bytes_that_are_no_record_are_malformed)
