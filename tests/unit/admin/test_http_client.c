// SPDX-License-Identifier: MIT
#include "http/client.h"

#include "unit/admin/fake_http.h"

static struct gw_http_client *client_new(struct gw_http_client_options options)
{
    struct gw_http_client *client = NULL;
    gw_err err = {0};
    assert_ok_err(gw_http_client_new(&options, &client, &err), &err);
    return client;
}

static void request_carries_path_body_type_and_credentials(void **state)
{
    (void)state;
    static const struct fake_route routes[] = {{"POST /a/b%2Fc", 201, "made"}};
    struct fake_http fake;
    fake_start(&fake, routes, 1);
    char url[80];
    snprintf(url, sizeof url, " %s/ ", fake.url); // blanks and a last slash do no harm
    struct gw_http_client *client =
        client_new((struct gw_http_client_options){.urls = url, .user = "me", .password = "secret"});
    const struct gw_http_call call = {
        .method = "POST", .path = "/a/b%2Fc", .content_type = "application/x-test", .body = gw_slice_text("{\"x\":1}")};
    struct gw_buf body = {0};
    int code = 0;
    gw_err err = {0};
    assert_ok_err(gw_http_client_call(client, &call, &body, &code, &err), &err);
    assert_int_equal(code, 201);
    assert_true(gw_slice_is(gw_buf_slice(&body), "made"));
    assert_non_null(strstr(fake.last, "Content-Type: application/x-test\r\n"));
    assert_non_null(strstr(fake.last, "Authorization: Basic bWU6c2VjcmV0\r\n"));
    assert_non_null(strstr(fake.last, "\r\n\r\n{\"x\":1}"));
    gw_http_client_free(client);
    gw_buf_deinit(&body);
    fake_stop(&fake);
}

static void every_status_is_an_answer_but_a_broken_gateway(void **state)
{
    (void)state;
    static const struct fake_route routes[] = {{"GET /500", 500, "oops"}, {"GET /503", 503, "away"}};
    struct fake_http fake;
    fake_start(&fake, routes, 2);
    struct gw_http_client *client = client_new((struct gw_http_client_options){.urls = fake.url});
    struct gw_buf body = {0};
    int code = 0;
    gw_err err = {0};
    struct gw_http_call call = {.method = "GET", .path = "/500"};
    assert_ok_err(gw_http_client_call(client, &call, &body, &code, &err), &err);
    assert_int_equal(code, 500);
    call.path = "/503";
    assert_fails(gw_http_client_call(client, &call, &body, &code, &err), GW_E_UNAVAILABLE);
    gw_http_client_free(client);
    gw_buf_deinit(&body);
    fake_stop(&fake);
}

static void next_url_takes_over_and_is_asked_first_from_then_on(void **state)
{
    (void)state;
    static const struct fake_route broken_routes[] = {{"GET /x", 502, ""}};
    static const struct fake_route routes[] = {{"GET /x", 200, "yes"}};
    struct fake_http broken;
    struct fake_http good;
    fake_start(&broken, broken_routes, 1);
    fake_start(&good, routes, 1);
    char urls[200];
    snprintf(urls, sizeof urls, "http://127.0.0.1:1,%s,%s", broken.url, good.url);
    struct gw_http_client *client = client_new((struct gw_http_client_options){.urls = urls});
    struct gw_buf body = {0};
    int code = 0;
    gw_err err = {0};
    const struct gw_http_call call = {.method = "GET", .path = "/x"};
    for (int i = 0; i < 3; i++) {
        assert_ok_err(gw_http_client_call(client, &call, &body, &code, &err), &err);
        assert_true(gw_slice_is(gw_buf_slice(&body), "yes"));
    }
    assert_int_equal(atomic_load(&broken.requests), 1);
    assert_int_equal(atomic_load(&good.requests), 3);
    gw_http_client_free(client);
    gw_buf_deinit(&body);
    fake_stop(&broken);
    fake_stop(&good);
}

static void silence_and_size_are_bounded(void **state)
{
    (void)state;
    static const struct fake_route routes[] = {{"GET /silent", 200, NULL}, {"GET /big", 200, "0123456789"}};
    struct fake_http fake;
    fake_start(&fake, routes, 2);
    struct gw_http_client *client =
        client_new((struct gw_http_client_options){.urls = fake.url, .timeout_ms = 200, .body_bytes_max = 9});
    struct gw_buf body = {0};
    int code = 0;
    gw_err err = {0};
    struct gw_http_call call = {.method = "GET", .path = "/silent"};
    assert_fails(gw_http_client_call(client, &call, &body, &code, &err), GW_E_TIMEOUT);
    call.path = "/big";
    assert_fails(gw_http_client_call(client, &call, &body, &code, &err), GW_E_TOO_LARGE);
    gw_http_client_free(client);
    gw_buf_deinit(&body);
    fake_stop(&fake);
}

static void wrong_urls_are_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {"", "ftp://x", "http://a,,http://b", "file:///etc/passwd", "localhost:8081"};
    for (size_t i = 0; i < GW_COUNT_OF(urls); i++) {
        struct gw_http_client *client = NULL;
        gw_err err = {0};
        assert_fails(gw_http_client_new(&(struct gw_http_client_options){.urls = urls[i]}, &client, &err), GW_E_CONFIG);
    }
}

static void path_parts_are_escaped(void **state)
{
    (void)state;
    struct gw_buf out = {0};
    assert_ok(gw_http_escape("a-Z.0_~/ ?\xc3\xa9", &out));
    assert_true(gw_slice_is(gw_buf_slice(&out), "a-Z.0_~%2F%20%3F%C3%A9"));
    gw_buf_deinit(&out);
}

GW_TESTS(request_carries_path_body_type_and_credentials, every_status_is_an_answer_but_a_broken_gateway,
         next_url_takes_over_and_is_asked_first_from_then_on, silence_and_size_are_bounded, wrong_urls_are_refused,
         path_parts_are_escaped)
