// SPDX-License-Identifier: MIT
#include "avro/avrogen/emit.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool gw_avrogen_complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("avrogen: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return false;
}

struct gw_avrogen_names gw_avrogen_names(const struct gw_avro_type *type)
{
    struct gw_avrogen_names names = {0};
    size_t size = 0;
    for (const char *c = type->name; *c != '\0'; c++) {
        if (isupper((unsigned char)*c) && c != type->name) {
            names.lower[size] = names.upper[size] = '_';
            size++;
        }
        names.lower[size] = (char)tolower((unsigned char)*c);
        names.upper[size] = (char)toupper((unsigned char)*c);
        size++;
    }
    return names;
}

void gw_avrogen_say(struct gw_buf *out, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (size < 0 || (size_t)size >= sizeof text || gw_buf_append(out, text, (size_t)size) != GW_OK) {
        gw_avrogen_complain("no memory, or a line over %zu bytes", sizeof text);
        exit(1);
    }
}

// A schema's documentation as comment text: escapes become what they stand for, or a space.
void gw_avrogen_say_doc(struct gw_buf *out, const char *indent, struct gw_slice doc)
{
    enum { WIDTH = 110 };
    char line[WIDTH + 1];
    size_t used = 0;
    size_t at = 0;
    while (at < doc.size) {
        size_t end = at;
        while (end < doc.size && doc.data[end] != ' ') {
            end++;
        }
        size_t size = GW_MIN(end - at, (size_t)WIDTH);
        if (used > 0 && used + size + 1 > WIDTH) {
            gw_avrogen_say(out, "%s// %.*s\n", indent, (int)used, line);
            used = 0;
        }
        if (used > 0) {
            line[used++] = ' ';
        }
        for (size_t i = 0; i < size; i++) {
            char c = (char)doc.data[at + i];
            if (c == '\\' && i + 1 < size) {
                char next = (char)doc.data[at + ++i];
                c = next == '"' || next == '\\' || next == '/' ? next : ' ';
            }
            line[used++] = c == '\\' ? '/' : c; // a backslash at the end of a line would join the next to the comment
        }
        at = end + 1;
    }
    if (used > 0) {
        gw_avrogen_say(out, "%s// %.*s\n", indent, (int)used, line);
    }
}
