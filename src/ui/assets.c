// SPDX-License-Identifier: MIT
#include "ui/assets.h"

#include "base/macros.h"

// X(symbol, file name, content type): every file of the page.
#define ASSET_MAP(X)                                                                                                   \
    X(index_html, "index.html", "text/html; charset=utf-8")                                                            \
    X(app_js, "app.js", "text/javascript; charset=utf-8")                                                              \
    X(models_js, "models.js", "text/javascript; charset=utf-8")                                                        \
    X(drift_js, "drift.js", "text/javascript; charset=utf-8")                                                          \
    X(style_css, "style.css", "text/css; charset=utf-8")

// .incbin costs the compiler nothing, whatever the size of the file.
#define X(symbol, name, type)                                                                                          \
    __asm__(".section .rodata\n"                                                                                       \
            ".balign 16\n"                                                                                             \
            "gw_ui_" #symbol "_start:\n"                                                                               \
            ".incbin \"" GW_UI_DIR "/" name "\"\n"                                                                     \
            "gw_ui_" #symbol "_end:\n"                                                                                 \
            ".byte 0\n"                                                                                                \
            ".previous\n");                                                                                            \
    extern const uint8_t gw_ui_##symbol##_start[];                                                                     \
    extern const uint8_t gw_ui_##symbol##_end[];
ASSET_MAP(X)
#undef X

static const struct {
    const char *name;
    const char *content_type;
    const uint8_t *start;
    const uint8_t *end;
} assets[] = {
#define X(symbol, name, type) {name, type, gw_ui_##symbol##_start, gw_ui_##symbol##_end},
    ASSET_MAP(X)
#undef X
};

const size_t gw_ui_asset_count = GW_COUNT_OF(assets);

struct gw_ui_asset gw_ui_asset_at(size_t index)
{
    return (struct gw_ui_asset){
        .name = assets[index].name,
        .content_type = assets[index].content_type,
        .data = assets[index].start,
        .size = (size_t)(assets[index].end - assets[index].start),
    };
}
