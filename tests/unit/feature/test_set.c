// SPDX-License-Identifier: MIT
#include "base/mem.h"
#include "unit/feature/vocabulary.h"

#define SALES "[feature sales]\nview = shop\naggregate = total\n"

// VIEWS takes lines 1 to 8.
static void malformed_definitions_name_the_line_and_the_culprit(void **state)
{
    (void)state;
    const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"nonsense\n", "test.ini:9: expected 'key = value' or '[section]'"},
        {"[table x]\n", "test.ini:9: section 'table x': expected [view NAME] or [feature NAME]"},
        {"[feature]\n", "test.ini:9: '' is not a name: a letter, then letters, digits, '_' and '.', at most 96"},
        {"[feature 1x]\n", "test.ini:9: '1x' is not a name: a letter, then letters, digits, '_' and '.', at most 96"},
        {SALES SALES, "test.ini:12: feature 'sales' is already defined at line 9"},
        {"[view shop]\n", "test.ini:9: view 'shop' is already defined at line 5"},
        {"[feature x]\nagregate = total\n",
         "test.ini:10: feature 'x': unknown key 'agregate'; the nearest is 'aggregate'"},
        {"[feature x]\ncode = C\n", "test.ini:10: feature 'x': unknown key 'code'"},
        {"[feature x]\nview = shop\nview = shop\n", "test.ini:11: feature 'x': 'view' is given twice"},
        {"[feature x]\nview =\n", "test.ini:10: feature 'x': 'view' is empty"},
        {"[feature x]\nview = shop\n", "test.ini:9: feature 'x': needs one of 'aggregate', 'derive' and 'source'"},
        {SALES "derive = 1\n", "test.ini:9: feature 'sales': needs one of 'aggregate', 'derive' and 'source'"},
        {"[feature x]\naggregate = total\n", "test.ini:10: feature 'x': aggregate: needs 'view'"},
        {"[feature x]\nview = shops\naggregate = total\n",
         "test.ini:10: feature 'x': view: unknown view 'shops'; the nearest is 'shop'"},
        {"[feature x]\nview = shop\naggregate = totals\n",
         "test.ini:11: feature 'x': aggregate: unknown aggregate 'totals'; the nearest is 'total'"},
        {"[feature x]\nview = shop\naggregate = decayed_count\n",
         "test.ini:11: feature 'x': aggregate: 'decayed_count' needs 'half_life'"},
        {"[feature x]\nview = shop\naggregate = last\n", "test.ini:11: feature 'x': aggregate: 'last' needs 'value'"},
        {SALES "half_life = 5m\n", "test.ini:12: feature 'sales': half_life: 'total' takes none"},
        {"[feature x]\nview = shop\naggregate = decayed_count\nhalf_life = soon\n",
         "test.ini:12: feature 'x': half_life: 'soon' is not a duration such as 30m, 24h, 50d"},
        {"[feature x]\nview = shop\naggregate = decayed_count\nhalf_life = 0s\n",
         "test.ini:12: feature 'x': half_life: '0s' is not a duration such as 30m, 24h, 50d"},
        {SALES "value = prize\n",
         "test.ini:12: feature 'sales': value: unknown attribute 'prize'; the nearest is 'price'"},
        {SALES "where = akt = BUY\n",
         "test.ini:12: feature 'sales': where: unknown attribute 'akt'; the nearest is 'act'"},
        {SALES "where = act = BYU\n", "test.ini:12: feature 'sales': where: unknown symbol 'BYU' of attribute 'act'"},
        {SALES "where = act in (BUY\n", "test.ini:12: feature 'sales': where: expected ',' or ')', found the end"},
        {SALES "where = act BUY\n",
         "test.ini:12: feature 'sales': where: expected 'in', 'present' or a comparison, found 'BUY'"},
        {SALES "where = price > 1 or 2\n",
         "test.ini:12: feature 'sales': where: expected 'and' or the end, found 'or'"},
        {SALES "where = price > 1x\n", "test.ini:12: feature 'sales': where: '1x' is not a number"},
        {SALES "where = price ? 1\n", "test.ini:12: feature 'sales': where: unexpected character '?'"},
        {SALES "type = time_ms\n",
         "test.ini:12: feature 'sales': type: only 'time_ms' with aggregate 'last': the value "
         "is milliseconds since the epoch"},
        {SALES "hidden = yes\n", "test.ini:12: feature 'sales': hidden: expected true or false"},
        {SALES "missing = 0\n", "test.ini:12: feature 'sales': missing: expected nan or zero"},
        {"[feature x]\nview = shop\naggregate = last_time\n",
         "test.ini:9: feature 'x': is a time, which no model can use: say 'hidden = true' and derive age_s of it"},
        {"[feature x]\nview = buyer\naggregate = decayed_count\nhalf_life = 1h\n",
         "test.ini:9: feature 'x': its view has only decayed counts, so rows expire; that must not change a value: say "
         "'missing = zero'"},
        {"[feature x]\nsource = reqest\n", "test.ini:10: feature 'x': source: expected 'request'"},
        {"[feature x]\nsource = request\nwhere = act = BUY\n",
         "test.ini:11: feature 'x': where: not for a value of the request"},
        {"[feature x]\nsource = request\nmissing = zero\n",
         "test.ini:11: feature 'x': missing: a value that was not sent is missing; derive coalesce(x, 0) from it"},
        {"[feature x]\nderive = 1\nview = shop\n", "test.ini:11: feature 'x': view: not for a derived feature"},
        {SALES "[feature x]\nderive = log1p(sale)\n",
         "test.ini:13: feature 'x': derive: unknown feature 'sale'; the nearest is 'sales'"},
        {"[feature x]\nderive = y + 1\n[feature y]\nderive = x\n",
         "test.ini:12: feature 'y': derive: a cycle: 'x' is derived from this feature"},
        {"[feature x]\nderive = x\n", "test.ini:10: feature 'x': derive: a cycle: 'x' is derived from this feature"},
        {"[view v]\nkeys = 1\nsides = shop\n", "test.ini:9: view 'v': 'code' must be one printable character"},
        {"[view v]\ncode = SS\nkeys = 1\nsides = shop\n",
         "test.ini:10: view 'v': code: 'code' must be one printable character"},
        {"[view v]\ncode = S\nkeys = 1\nsides = shop\n", "test.ini:10: view 'v': code: another view has this code"},
        {"[view v]\ncode = V\nkeys = 3\nsides = shop\n",
         "test.ini:11: view 'v': keys: 'keys' must be 1 or 2, the ids in a row's key"},
        {"[view v]\ncode = V\nkeys = 2\n", "test.ini:9: view 'v': 'sides' is not given"},
        {"[view v]\ncode = V\nkeys = 2\nsides = shop, buyr\n",
         "test.ini:12: view 'v': sides: unknown side 'buyr'; the nearest is 'buyer'"},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        char text[1024];
        struct gw_feature_set *set = NULL;
        gw_err err = {0};
        snprintf(text, sizeof text, VIEWS "%s", cases[i].text);
        assert_fails(test_compile(text, &set, &err), GW_E_CONFIG);
        assert_string_equal(err.message, cases[i].message);
        assert_int_equal(err.status, GW_E_CONFIG);
        assert_null(set);
    }
}

static void too_much_of_anything_is_refused(void **state)
{
    (void)state;
    GW_CLEANUP(gw_buf_deinit) struct gw_buf columns = {0};
    GW_CLEANUP(gw_buf_deinit) struct gw_buf chain = {0};
    GW_CLEANUP(gw_buf_deinit) struct gw_buf features = {0};
    assert_ok(gw_buf_append_text(&columns, VIEWS));
    assert_ok(gw_buf_append_text(&chain, "[feature f0]\nderive = 1\n"));
    for (int i = 1; i <= 1100; i++) {
        if (i <= 65) {
            assert_ok(gw_buf_append_format(&columns, "[feature c%d]\nview = shop\naggregate = total\n", i));
        }
        assert_ok(gw_buf_append_format(&features, "[feature f%d]\nderive = 1\n", i));
    }
    for (int i = 40; i > 0; i--) {
        assert_ok(gw_buf_append_format(&chain, "[feature f%d]\nderive = f%d\n", i, i - 1));
    }
    const struct {
        const struct gw_buf *text;
        const char *message;
    } cases[] = {
        {&columns, "test.ini:202: feature 'c65': view: a view has at most 64 columns"},
        {&chain, "test.ini:68: feature 'f8': derive: derived through more than 32 features"},
        {&features, "test.ini:2049: more than 16 views or 1024 features"},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        struct gw_feature_set *set = NULL;
        gw_err err = {0};
        assert_fails(gw_feature_set_compile("test.ini", (const char *)cases[i].text->data, cases[i].text->size,
                                            &test_vocabulary, &set, &err),
                     GW_E_CONFIG);
        assert_string_equal(err.message, cases[i].message);
    }
}

static uint64_t shop_fingerprint(const char *features)
{
    char text[2048];
    snprintf(text, sizeof text, VIEWS "%s", features);
    struct gw_feature_set *set = test_set(text);
    uint64_t fingerprint = gw_feature_set_view(set, 1)->fingerprint;
    gw_feature_set_free(set);
    return fingerprint;
}

#define A(body) "[feature a]\nview = shop\naggregate = total\n" body
#define B       "[feature b]\nview = shop\naggregate = last\nvalue = price\n"

static void fingerprint_follows_the_columns_and_nothing_else(void **state)
{
    (void)state;
    uint64_t fingerprint = shop_fingerprint(A("where = act = BUY\n") B);
    assert_int_equal(fingerprint, 0x77fa862f80739cc1); // rows in stores carry it
    assert_int_equal(shop_fingerprint(B A("where = act = BUY\n")), fingerprint);
    assert_int_equal(shop_fingerprint(A("where =   act=BUY\nhelp = words\nhidden = true\n") B), fingerprint);
    assert_int_equal(shop_fingerprint(A("where = act = BUY\n") B "[feature c]\nderive = a\n"), fingerprint);

    assert_int_not_equal(shop_fingerprint(A("where = act = VIEW\n") B), fingerprint);
    assert_int_not_equal(shop_fingerprint(A("where = act = BUY\nvalue = price\n") B), fingerprint);
    assert_int_not_equal(shop_fingerprint(A("where = act = BUY\n")), fingerprint);
    assert_int_not_equal(shop_fingerprint(A("where = act = BUY\n") "[feature bb]\nview = shop\naggregate = last\n"
                                                                   "value = price\n"),
                         fingerprint);
}

static void layout_says_all_that_gives_bytes_a_meaning(void **state)
{
    (void)state;
    struct gw_feature_set *set = test_set(VIEWS A("where = act in (BUY,RETURN) and price > 1\n") B
                                          "[feature d]\nview = shop\naggregate = decayed_count\nhalf_life = 30m\n");
    assert_string_equal(
        gw_feature_set_view(set, 1)->layout_json,
        "{\"view\":\"shop\",\"code\":83,\"format\":1,\"keys\":1,\"row_bytes\":72,\"sides\":[\"shop\",\"register\"],"
        "\"columns\":[{\"name\":\"a\",\"aggregate\":\"total\",\"offset\":40,\"where\":\"act in (BUY, RETURN) and price "
        "> "
        "1\"},{\"name\":\"b\",\"aggregate\":\"last\",\"offset\":48,\"value\":\"price\",\"clock_offset\":64},{\"name\":"
        "\"d\",\"aggregate\":\"decayed_count\",\"offset\":56,\"half_life_us\":1800000000}]}");
    gw_feature_set_free(set);
}

static void set_lists_views_and_features_in_file_order(void **state)
{
    (void)state;
    struct gw_feature_set *set =
        test_set(VIEWS "[feature z]\nview = shop\naggregate = total\nwhere = act=BUY\nhelp = sold\n"
                       "[feature y]\nsource = request\nvalue = sent\nhidden = true\n[feature x]\nderive = z + y\n");
    assert_int_equal(gw_feature_set_view_count(set), 2);
    assert_int_equal(gw_feature_set_find_view(set, "shop"), 1);
    assert_int_equal(gw_feature_set_find_view(set, "shops"), -1);
    assert_int_equal(gw_feature_set_view(set, 1)->code, 'S');
    assert_int_equal(gw_feature_set_view(set, 1)->side_mask, 1u << SIDE_SHOP | 1u << SIDE_REGISTER);
    assert_true(gw_feature_set_view(set, 1)->never_expires);
    assert_int_equal(gw_feature_set_count(set), 3);
    assert_string_equal(gw_feature_set_name(set, 0), "z");
    assert_string_equal(gw_feature_set_help(set, 0), "sold: total of view 'shop', where act = BUY");
    assert_string_equal(gw_feature_set_help(set, 1), "value 'sent' of the request");
    assert_string_equal(gw_feature_set_help(set, 2), "z + y");
    assert_true(gw_feature_set_is_hidden(set, 1));
    assert_false(gw_feature_set_is_hidden(set, 2));
    gw_feature_set_free(set);
}

static void empty_text_is_an_empty_set(void **state)
{
    (void)state;
    struct gw_feature_set *set = test_set("");
    assert_int_equal(gw_feature_set_view_count(set), 0);
    assert_int_equal(gw_feature_set_count(set), 0);
    gw_feature_set_free(set);
    gw_feature_set_free(NULL);
}

static void every_failed_allocation_is_reported_and_leaks_nothing(void **state)
{
    (void)state;
    static const char text[] = VIEWS SALES "where = act in (BUY, RETURN)\n[feature x]\nderive = log1p(sales)\n";
    const char *const names[] = {"x", "sales"};
    bool done = false;
    for (unsigned long n = 1; !done; n++) {
        assert_true(n < 10000);
        struct gw_feature_set *set = NULL;
        struct gw_feature_plan *plan = NULL;
        gw_mem_fail_nth(n);
        gw_status status = test_compile(text, &set, NULL);
        if (status == GW_OK) {
            status = gw_feature_plan_new(set, names, 2, &plan, NULL);
        }
        gw_mem_fail_nth(0);
        done = status == GW_OK;
        if (!done) {
            assert_fails(status, GW_E_MEMORY);
        }
        gw_feature_plan_free(plan);
        gw_feature_set_free(set);
    }
}

GW_TESTS(malformed_definitions_name_the_line_and_the_culprit, too_much_of_anything_is_refused,
         fingerprint_follows_the_columns_and_nothing_else, layout_says_all_that_gives_bytes_a_meaning,
         set_lists_views_and_features_in_file_order, empty_text_is_an_empty_set,
         every_failed_allocation_is_reported_and_leaks_nothing)
