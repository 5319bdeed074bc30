// SPDX-License-Identifier: MIT
// Constant documents: the OpenAPI description, the catalogue of problems, the page and its assets.
#include "api/exchange.h"
#include "base/check.h"
#include "ui/assets.h"

// The assembler includes the file; the build names it.
__asm__(".section .rodata\n"
        ".balign 16\n"
        "gw_api_openapi_start:\n"
        ".incbin \"" GW_API_OPENAPI_FILE "\"\n"
        "gw_api_openapi_end:\n"
        ".byte 0\n"
        ".previous\n");
extern const uint8_t gw_api_openapi_start[];
extern const uint8_t gw_api_openapi_end[];

// Nothing from elsewhere, nothing inline, no frame around us.
static const struct gw_http_header page_headers[] = {
    {"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                                "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
};

static struct gw_slice openapi(void)
{
    return gw_slice_make(gw_api_openapi_start, (size_t)(gw_api_openapi_end - gw_api_openapi_start));
}

void gw_api_documents_init(struct gw_api *api)
{
    gw_api_etag(openapi(), api->openapi_etag);
    GW_ASSERT(gw_ui_asset_count <= GW_API_ASSETS_MAX);
    for (size_t i = 0; i < gw_ui_asset_count; i++) {
        struct gw_ui_asset asset = gw_ui_asset_at(i);
        gw_api_etag(gw_slice_make(asset.data, asset.size), api->asset_etags[i]);
    }
}

void gw_api_handle_openapi(struct gw_api_exchange *exchange)
{
    gw_api_reply_static(exchange, "application/json", openapi(), exchange->api->openapi_etag, NULL, 0);
}

void gw_api_handle_problem(struct gw_api_exchange *exchange)
{
    struct gw_buf text = {0};
    if (gw_api_problem_explain(exchange->params[0], &text) == GW_OK) {
        gw_api_reply(exchange, 200, "application/json", gw_buf_slice(&text), NULL, 0);
    } else {
        gw_api_reply_problem(exchange, GW_API_PROBLEM_NOT_FOUND, NULL, "no such kind of problem");
    }
    gw_buf_deinit(&text);
}

static void reply_asset(struct gw_api_exchange *exchange, struct gw_slice name)
{
    for (size_t i = 0; i < gw_ui_asset_count; i++) {
        struct gw_ui_asset asset = gw_ui_asset_at(i);
        if (gw_slice_is(name, asset.name)) {
            gw_api_reply_static(exchange, asset.content_type, gw_slice_make(asset.data, asset.size),
                                exchange->api->asset_etags[i], page_headers, GW_COUNT_OF(page_headers));
            return;
        }
    }
    gw_api_reply_problem(exchange, GW_API_PROBLEM_NOT_FOUND, NULL, "no such file");
}

void gw_api_handle_page(struct gw_api_exchange *exchange)
{
    reply_asset(exchange, gw_slice_text("index.html"));
}

void gw_api_handle_asset(struct gw_api_exchange *exchange)
{
    reply_asset(exchange, exchange->params[0]);
}
