// SPDX-License-Identifier: MIT
#include "feature/scan.h"

#include "base/ini.h"

#include <string.h>

#define NUMBER_BYTES_MAX 40

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name_part(char c)
{
    return is_name_start(c) || is_digit(c) || c == '.';
}

static gw_status scan_number(struct gw_scanner *scanner, gw_err *err)
{
    const char *end = scanner->start;
    while (is_digit(*end) || *end == '.') {
        end++;
    }
    if (*end == 'e' || *end == 'E') {
        end++;
        if (*end == '+' || *end == '-') {
            end++;
        }
        while (is_digit(*end)) {
            end++;
        }
    }
    size_t length = (size_t)(end - scanner->start);
    char text[NUMBER_BYTES_MAX];
    if (length >= sizeof text || is_name_start(*end)) {
        return gw_fail(err, GW_E_CONFIG, "'%.*s' is not a number", (int)GW_MIN(length + 1, (size_t)NUMBER_BYTES_MAX),
                       scanner->start);
    }
    memcpy(text, scanner->start, length);
    text[length] = '\0';
    if (gw_parse_double(text, &scanner->number, NULL) != GW_OK) {
        return gw_fail(err, GW_E_CONFIG, "'%s' is not a number", text);
    }
    scanner->token = GW_TOKEN_NUMBER;
    scanner->length = length;
    return GW_OK;
}

gw_status gw_scanner_next(struct gw_scanner *scanner, gw_err *err)
{
    static const struct {
        const char *text;
        enum gw_token token;
    } operators[] = {
        // Longer ones first.
        {"!=", GW_TOKEN_NOT_EQUAL}, {"<=", GW_TOKEN_LESS_EQUAL}, {">=", GW_TOKEN_GREATER_EQUAL}, {"==", GW_TOKEN_EQUAL},
        {"=", GW_TOKEN_EQUAL},      {"<", GW_TOKEN_LESS},        {">", GW_TOKEN_GREATER},        {"(", GW_TOKEN_OPEN},
        {")", GW_TOKEN_CLOSE},      {",", GW_TOKEN_COMMA},       {"+", GW_TOKEN_PLUS},           {"-", GW_TOKEN_MINUS},
        {"*", GW_TOKEN_STAR},       {"/", GW_TOKEN_SLASH},
    };

    const char *at = scanner->next;
    while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r') {
        at++;
    }
    scanner->start = at;
    scanner->length = 0;
    if (*at == '\0') {
        scanner->token = GW_TOKEN_END;
    } else if (is_name_start(*at)) {
        while (is_name_part(at[scanner->length])) {
            scanner->length++;
        }
        scanner->token = GW_TOKEN_NAME;
    } else if (is_digit(*at) || *at == '.') {
        GW_TRY(scan_number(scanner, err));
    } else {
        size_t i = 0;
        while (i < GW_COUNT_OF(operators) && strncmp(at, operators[i].text, strlen(operators[i].text)) != 0) {
            i++;
        }
        if (i == GW_COUNT_OF(operators)) {
            if (*at > ' ' && *at < 0x7f) {
                return gw_fail(err, GW_E_CONFIG, "unexpected character '%c'", *at);
            }
            return gw_fail(err, GW_E_CONFIG, "unexpected byte 0x%02x", (unsigned)(unsigned char)*at);
        }
        scanner->token = operators[i].token;
        scanner->length = strlen(operators[i].text);
    }
    scanner->next = at + scanner->length;
    return GW_OK;
}

gw_status gw_scanner_start(struct gw_scanner *scanner, const char *text, gw_err *err)
{
    *scanner = (struct gw_scanner){.next = text};
    return gw_scanner_next(scanner, err);
}

bool gw_scanner_is(const struct gw_scanner *scanner, const char *name)
{
    return scanner->token == GW_TOKEN_NAME && scanner->length == strlen(name) &&
           memcmp(scanner->start, name, scanner->length) == 0;
}

gw_status gw_scanner_unexpected(const struct gw_scanner *scanner, const char *what, gw_err *err)
{
    if (scanner->token == GW_TOKEN_END) {
        return gw_fail(err, GW_E_CONFIG, "expected %s, found the end", what);
    }
    return gw_fail(err, GW_E_CONFIG, "expected %s, found '%.*s'", what, (int)GW_MIN(scanner->length, (size_t)64),
                   scanner->start);
}

gw_status gw_scanner_expect(struct gw_scanner *scanner, enum gw_token token, const char *what, gw_err *err)
{
    if (scanner->token != token) {
        return gw_scanner_unexpected(scanner, what, err);
    }
    return gw_scanner_next(scanner, err);
}
