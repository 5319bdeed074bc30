// SPDX-License-Identifier: MIT
#include "worker/database.h"

#include "base/mem.h"
#include "http/client.h"

#include <string.h>

gw_status gw_database_add_password(const char *uri, const char *password, struct gw_buf *out)
{
    if (strncmp(uri, "postgres://", 11) == 0 || strncmp(uri, "postgresql://", 13) == 0) {
        GW_TRY(gw_buf_append_format(out, "%s%spassword=", uri, strchr(uri, '?') != NULL ? "&" : "?"));
        GW_TRY(gw_http_escape(password, out));
        return gw_buf_append(out, "", 1);
    }
    GW_TRY(gw_buf_append_format(out, "%s password='", uri));
    for (const char *at = password; *at != '\0'; at++) {
        GW_TRY(gw_buf_append_format(out, "%s%c", *at == '\'' || *at == '\\' ? "\\" : "", *at));
    }
    return gw_buf_append(out, "'", 2); // with its NUL
}

gw_status gw_database_uri(const struct gw_config *config, char **ret_uri, gw_err *err)
{
    char *password = NULL;
    struct gw_buf uri = {0};
    const char *plain = gw_config_text(config, GW_OPT_POSTGRES_URI);
    GW_TRY(gw_config_secret(config, GW_OPT_POSTGRES_PASSWORD_FILE, &password, err));
    gw_status status = password != NULL ? gw_database_add_password(plain, password, &uri)
                                        : gw_buf_append(&uri, plain, strlen(plain) + 1);
    char *copy = status == GW_OK ? gw_mem_strndup((const char *)uri.data, uri.size - 1) : NULL;
    gw_buf_deinit(&uri);
    gw_mem_free(password);
    if (copy == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for postgres.uri");
    }
    *ret_uri = copy;
    return GW_OK;
}
