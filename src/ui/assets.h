// SPDX-License-Identifier: MIT
// The dashboard's files, inside the binary.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct gw_ui_asset {
    const char *name; // file name, such as "app.js"
    const char *content_type;
    const uint8_t *data; // lives as long as the process
    size_t size;
};

extern const size_t gw_ui_asset_count;

// The asset with this index, below gw_ui_asset_count.
struct gw_ui_asset gw_ui_asset_at(size_t index);
