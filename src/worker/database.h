// SPDX-License-Identifier: MIT
// Where PostgreSQL is, with the password that stands in a file of its own: what every connection of a process is made
// with.
#pragma once

#include "base/bytes.h"
#include "config/config.h"

// postgres.uri with the password of postgres.password_file, NUL-terminated; freed by gw_mem_free. The text is a secret.
GW_CHECK gw_status gw_database_uri(const struct gw_config *config, char **ret_uri, gw_err *err);

// Appends the password to a libpq URI or keyword string, and a NUL. For tests.
GW_CHECK gw_status gw_database_add_password(const char *uri, const char *password, struct gw_buf *out);
