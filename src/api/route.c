// SPDX-License-Identifier: MIT
#include "api/route.h"

#include "api/exchange.h"
#include "base/check.h"

#include <stdio.h>
#include <string.h>

const struct gw_api_route gw_api_routes[] = {
#define X(name, method, pattern, listeners, token) {gw_api_handle_##name, method, pattern, listeners, token},
    GW_API_ROUTE_MAP(X)
#undef X
};
const size_t gw_api_route_count = GW_COUNT_OF(gw_api_routes);

bool gw_api_route_matches(const char *pattern, const char *path, struct gw_slice *params)
{
    size_t param_count = 0;
    while (*pattern != '\0' && *path != '\0') {
        if (*pattern == ':') {
            size_t length = strcspn(path, "/");
            GW_ASSERT(param_count < GW_API_PARAMS_MAX);
            if (length == 0) {
                return false;
            }
            params[param_count++] = gw_slice_make(path, length);
            path += length;
            pattern += strcspn(pattern, "/");
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *pattern == '\0' && *path == '\0';
}

static void add_allowed(const char *method, char *allow, size_t bytes)
{
    size_t used = strlen(allow);
    if (strstr(allow, method) != NULL) { // by another pattern that the path fits
        return;
    }
    snprintf(allow + used, bytes - used, "%s%s%s", used > 0 ? ", " : "", method,
             strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

const struct gw_api_route *gw_api_route_find(uint8_t listener, const char *method, const char *path,
                                             struct gw_slice *params, char *ret_allow, size_t allow_bytes)
{
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    ret_allow[0] = '\0';
    for (size_t i = 0; i < gw_api_route_count; i++) {
        const struct gw_api_route *route = &gw_api_routes[i];
        if ((route->listeners & listener) == 0 || !gw_api_route_matches(route->pattern, path, params)) {
            continue;
        }
        if (strcmp(route->method, wanted) == 0) {
            return route;
        }
        add_allowed(route->method, ret_allow, allow_bytes);
    }
    return NULL;
}
