// SPDX-License-Identifier: MIT
// Tokens of filters and expressions: names, numbers, operators, parentheses. Borrows the text.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum gw_token {
    GW_TOKEN_END,
    GW_TOKEN_NAME, // letter or '_', then letters, digits, '_' and '.'
    GW_TOKEN_NUMBER,
    GW_TOKEN_OPEN,
    GW_TOKEN_CLOSE,
    GW_TOKEN_COMMA,
    GW_TOKEN_PLUS,
    GW_TOKEN_MINUS,
    GW_TOKEN_STAR,
    GW_TOKEN_SLASH,
    GW_TOKEN_EQUAL,
    GW_TOKEN_NOT_EQUAL,
    GW_TOKEN_LESS,
    GW_TOKEN_LESS_EQUAL,
    GW_TOKEN_GREATER,
    GW_TOKEN_GREATER_EQUAL,
};

// The current token is at [start, start + length).
struct gw_scanner {
    const char *next; // first byte not yet scanned
    const char *start;
    size_t length;
    enum gw_token token;
    double number; // of a NUMBER
};

// Starts at the first token of a NUL-terminated text.
GW_CHECK gw_status gw_scanner_start(struct gw_scanner *scanner, const char *text, gw_err *err);

// Moves to the next token; at the end it stays there. GW_E_CONFIG names what is no token.
GW_CHECK gw_status gw_scanner_next(struct gw_scanner *scanner, gw_err *err);

// True when the current token is this name.
bool gw_scanner_is(const struct gw_scanner *scanner, const char *name);

// Moves past the current token if it is `token`; GW_E_CONFIG says that `what` was expected otherwise.
GW_CHECK gw_status gw_scanner_expect(struct gw_scanner *scanner, enum gw_token token, const char *what, gw_err *err);

// GW_E_CONFIG: expected `what`, found the current token.
gw_status gw_scanner_unexpected(const struct gw_scanner *scanner, const char *what, gw_err *err);
