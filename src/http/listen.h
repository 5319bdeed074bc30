// SPDX-License-Identifier: MIT
// The listening socket, made here rather than by libmicrohttpd so that a failure says why.
#pragma once

#include "base/err.h"

#include <stdint.h>

// Gives a listening, non-blocking TCP socket on `address` (numeric, or "localhost") and the port taken.
// GW_E_CONFIG: not an address. GW_E_IO: the system refuses.
GW_CHECK gw_status gw_http_listen_open(const char *address, uint16_t port, int *ret_socket, uint16_t *ret_port,
                                       gw_err *err);
