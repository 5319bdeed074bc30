// SPDX-License-Identifier: MIT
#include "model/examples.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/bundle.h"
#include "model/fields.h"
#include "model/file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC         "GWEX0001"
#define MAGIC_BYTES   8
#define PREFIX_BYTES  (MAGIC_BYTES + 4)
#define RECORD_PREFIX 24 // bytes before the features
#define NAME_BYTES    256

struct gw_examples_writer {
    FILE *file;
    char path[GW_MODEL_PATH_BYTES];
    char aside[GW_MODEL_PATH_BYTES];
    size_t feature_count;
    bool finished;
};

struct gw_examples_reader {
    FILE *file;
    char path[GW_MODEL_PATH_BYTES];
    struct gw_arena arena; // of the header's strings
    struct gw_examples_header header;
    uint64_t count;
    uint64_t next;
    uint8_t *record; // where the next record is read to
};

static gw_status io_failed(gw_err *err, const char *what, const char *path)
{
    return gw_fail(err, GW_E_IO, "%s '%.128s': %s", what, path, strerror(errno));
}

static bool weight_is_legal(float weight)
{
    return isfinite(weight) && weight > 0;
}

static void write_names(struct gw_json_writer *to, const char *key, const char *const *names, size_t count)
{
    gw_json_write_key(to, key);
    gw_json_array_begin(to);
    for (size_t i = 0; i < count; i++) {
        gw_json_write_text(to, names[i]);
    }
    gw_json_array_end(to);
}

static gw_status write_header(FILE *file, const char *path, const struct gw_examples_header *header, gw_err *err)
{
    GW_CLEANUP(gw_buf_deinit) struct gw_buf text = {0};
    struct gw_json_writer to;
    gw_json_writer_init(&to, &text);
    gw_json_object_begin(&to);
    write_names(&to, "features", header->feature_names, header->feature_count);
    write_names(&to, "labels", header->label_names, header->label_count);
    gw_json_write_key(&to, "layout");
    gw_json_write_text(&to, header->layout);
    gw_json_object_end(&to);
    GW_TRY(gw_json_writer_finish(&to, err));
    if (text.size > GW_EXAMPLES_HEADER_BYTES) {
        return gw_fail(err, GW_E_TOO_LARGE, "header of %zu bytes, at most %zu", text.size, GW_EXAMPLES_HEADER_BYTES);
    }
    uint8_t prefix[PREFIX_BYTES];
    memcpy(prefix, MAGIC, MAGIC_BYTES);
    gw_store_le32(prefix + MAGIC_BYTES, (uint32_t)text.size);
    if (fwrite(prefix, sizeof prefix, 1, file) != 1 || fwrite(text.data, text.size, 1, file) != 1) {
        return io_failed(err, "cannot write", path);
    }
    return GW_OK;
}

static gw_status check_counts(const struct gw_examples_header *header, gw_err *err)
{
    if (header->feature_count < 1 || header->feature_count > GW_BUNDLE_FEATURES_MAX) {
        return gw_fail(err, GW_E_INVALID, "%zu features, expected 1 to %d", header->feature_count,
                       GW_BUNDLE_FEATURES_MAX);
    }
    if (header->label_count < 1 || header->label_count > GW_EXAMPLES_LABELS_MAX) {
        return gw_fail(err, GW_E_INVALID, "%zu labels, expected 1 to %d", header->label_count, GW_EXAMPLES_LABELS_MAX);
    }
    return GW_OK;
}

static gw_status open_writer(struct gw_examples_writer *writer, const char *path,
                             const struct gw_examples_header *header, gw_err *err)
{
    GW_TRY(check_counts(header, err));
    int length = snprintf(writer->aside, sizeof writer->aside, "%s.aside", path);
    if (length < 0 || (size_t)length >= sizeof writer->aside) {
        return gw_fail(err, GW_E_TOO_LARGE, "path '%.64s...' is too long", path);
    }
    memcpy(writer->path, path, strlen(path) + 1);
    writer->feature_count = header->feature_count;
    writer->file = fopen(writer->aside, "wbe");
    if (writer->file == NULL) {
        return io_failed(err, "cannot create", writer->aside);
    }
    return write_header(writer->file, writer->aside, header, err);
}

gw_status gw_examples_writer_new(const char *path, const struct gw_examples_header *header,
                                 struct gw_examples_writer **ret_writer, gw_err *err)
{
    struct gw_examples_writer *writer = gw_mem_calloc(1, sizeof *writer);
    if (writer == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for an examples writer");
    }
    gw_status status = open_writer(writer, path, header, err);
    if (status != GW_OK) {
        gw_examples_writer_free(writer);
        return status;
    }
    *ret_writer = writer;
    return GW_OK;
}

gw_status gw_examples_append(struct gw_examples_writer *writer, const struct gw_example *example, gw_err *err)
{
    if (!weight_is_legal(example->weight)) {
        return gw_fail(err, GW_E_INVALID, "weight %g, expected finite and positive", (double)example->weight);
    }
    uint8_t prefix[RECORD_PREFIX] = {0};
    gw_store_le64(prefix, (uint64_t)example->time_ms);
    gw_store_le64(prefix + 8, example->label_bits);
    memcpy(prefix + 16, &example->weight, sizeof(float));
    if (fwrite(prefix, sizeof prefix, 1, writer->file) != 1 ||
        fwrite(example->features, writer->feature_count * sizeof(float), 1, writer->file) != 1) {
        return io_failed(err, "cannot write", writer->aside);
    }
    return GW_OK;
}

gw_status gw_examples_finish(struct gw_examples_writer *writer, gw_err *err)
{
    if (fflush(writer->file) != 0 || fsync(fileno(writer->file)) != 0) {
        return io_failed(err, "cannot flush", writer->aside);
    }
    if (rename(writer->aside, writer->path) != 0) {
        return io_failed(err, "cannot rename to", writer->path);
    }
    writer->finished = true;
    return GW_OK;
}

void gw_examples_writer_free(struct gw_examples_writer *writer)
{
    if (writer == NULL) {
        return;
    }
    if (writer->file != NULL) {
        fclose(writer->file);
        if (!writer->finished) {
            unlink(writer->aside);
        }
    }
    gw_mem_free(writer);
}

static size_t record_bytes(const struct gw_examples_header *header)
{
    return RECORD_PREFIX + header->feature_count * sizeof(float);
}

static gw_status read_names(struct gw_json *json, struct gw_arena *arena, size_t limit, const char *const **ret_names,
                            size_t *ret_count, gw_err *err)
{
    GW_CLEANUP(gw_buf_deinit) struct gw_buf text = {0};
    const char **names = gw_arena_array(arena, limit, sizeof *names);
    size_t count = 0;
    GW_TRY(gw_json_enter(json, GW_JSON_ARRAY, err));
    for (;;) {
        bool more = false;
        GW_TRY(gw_json_next(json, &more, err));
        if (!more) {
            *ret_names = names;
            *ret_count = count;
            return GW_OK;
        }
        if (count == limit) {
            return gw_fail(err, GW_E_TOO_LARGE, "more than %zu names", limit);
        }
        GW_TRY(gw_json_string(json, &text, NAME_BYTES - 1, err));
        char *copy = gw_arena_alloc(arena, text.size + 1);
        if (names == NULL || copy == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for names");
        }
        memcpy(copy, text.data, text.size + 1);
        names[count++] = copy;
    }
}

static gw_status parse_header(struct gw_examples_reader *reader, struct gw_slice text, gw_err *err)
{
    enum { FEATURES, LABELS, LAYOUT };
    static const char *const keys[] = {"features", "labels", "layout"};
    struct gw_fields fields = {.keys = keys, .key_count = GW_COUNT_OF(keys)};
    struct gw_examples_header *header = &reader->header;
    GW_CLEANUP(gw_buf_deinit) struct gw_buf layout = {0};
    struct gw_json json;
    gw_json_init(&json, text);
    GW_TRY(gw_fields_enter(&fields, &json, err));
    for (;;) {
        size_t index = 0;
        bool more = false;
        char *copy = NULL;
        GW_TRY(gw_fields_next(&fields, &json, &index, &more, err));
        if (!more) {
            break;
        }
        switch (index) {
        case FEATURES:
            GW_TRY(read_names(&json, &reader->arena, GW_BUNDLE_FEATURES_MAX, &header->feature_names,
                              &header->feature_count, err));
            break;
        case LABELS:
            GW_TRY(read_names(&json, &reader->arena, GW_EXAMPLES_LABELS_MAX, &header->label_names, &header->label_count,
                              err));
            break;
        case LAYOUT:
            GW_TRY(gw_json_string(&json, &layout, NAME_BYTES - 1, err));
            copy = gw_arena_alloc(&reader->arena, layout.size + 1);
            if (copy == NULL) {
                return gw_fail(err, GW_E_MEMORY, "no memory for a layout");
            }
            memcpy(copy, layout.data, layout.size + 1);
            header->layout = copy;
            break;
        }
    }
    GW_TRY(gw_json_end(&json, err));
    GW_TRY(gw_fields_require(&fields, 1u << FEATURES | 1u << LABELS, err));
    return check_counts(header, err);
}

static gw_status read_header(struct gw_examples_reader *reader, uint64_t file_size, gw_err *err)
{
    uint8_t prefix[PREFIX_BYTES];
    if (fread(prefix, sizeof prefix, 1, reader->file) != 1 || memcmp(prefix, MAGIC, MAGIC_BYTES) != 0) {
        return gw_fail(err, GW_E_MALFORMED, "does not begin with %s", MAGIC);
    }
    uint32_t size = gw_load_le32(prefix + MAGIC_BYTES);
    if (size > GW_EXAMPLES_HEADER_BYTES) {
        return gw_fail(err, GW_E_TOO_LARGE, "header of %u bytes, at most %zu", size, GW_EXAMPLES_HEADER_BYTES);
    }
    GW_CLEANUP(gw_mem_cleanup) uint8_t *text = gw_mem_calloc((size_t)size + 1, 1);
    if (text == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a header of %u bytes", size);
    }
    if (size > 0 && fread(text, size, 1, reader->file) != 1) {
        return gw_fail(err, GW_E_MALFORMED, "cut within its header");
    }
    gw_status status = parse_header(reader, gw_slice_make(text, size), err);
    if (status != GW_OK) {
        return gw_fail_context(err, status, "header");
    }
    uint64_t body = file_size - PREFIX_BYTES - size;
    if (body % record_bytes(&reader->header) != 0) {
        return gw_fail(err, GW_E_MALFORMED, "cut within record %llu",
                       (unsigned long long)(body / record_bytes(&reader->header)));
    }
    reader->count = body / record_bytes(&reader->header);
    return GW_OK;
}

static gw_status open_reader(struct gw_examples_reader *reader, const char *path, gw_err *err)
{
    reader->file = fopen(path, "rbe");
    if (reader->file == NULL) {
        return errno == ENOENT ? gw_fail(err, GW_E_NOT_FOUND, "no file '%.128s'", path)
                               : io_failed(err, "cannot open", path);
    }
    struct stat info;
    if (fstat(fileno(reader->file), &info) != 0) {
        return io_failed(err, "cannot stat", path);
    }
    if (!S_ISREG(info.st_mode)) {
        return gw_fail(err, GW_E_INVALID, "'%.128s' is not a regular file", path);
    }
    gw_status status = read_header(reader, (uint64_t)info.st_size, err);
    if (status != GW_OK) {
        return gw_fail_context(err, status, "examples '%.100s'", path);
    }
    reader->record = gw_mem_calloc(1, record_bytes(&reader->header));
    if (reader->record == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for an example");
    }
    return GW_OK;
}

gw_status gw_examples_reader_new(const char *path, struct gw_examples_reader **ret_reader, gw_err *err)
{
    struct gw_examples_reader *reader = gw_mem_calloc(1, sizeof *reader);
    if (reader == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for an examples reader");
    }
    reader->header.layout = "";
    snprintf(reader->path, sizeof reader->path, "%s", path);
    gw_arena_init(&reader->arena, (size_t)64 << 10, (size_t)4 << 20);
    gw_status status = open_reader(reader, path, err);
    if (status != GW_OK) {
        gw_examples_reader_free(reader);
        return status;
    }
    *ret_reader = reader;
    return GW_OK;
}

void gw_examples_reader_free(struct gw_examples_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    if (reader->file != NULL) {
        fclose(reader->file);
    }
    gw_arena_deinit(&reader->arena);
    gw_mem_free(reader->record);
    gw_mem_free(reader);
}

const struct gw_examples_header *gw_examples_header(const struct gw_examples_reader *reader)
{
    return &reader->header;
}

uint64_t gw_examples_count(const struct gw_examples_reader *reader)
{
    return reader->count;
}

gw_status gw_examples_next(struct gw_examples_reader *reader, struct gw_example *ret_example, bool *ret_more,
                           gw_err *err)
{
    if (reader->next == reader->count) {
        *ret_more = false;
        return GW_OK;
    }
    uint8_t *record = reader->record;
    if (fread(record, record_bytes(&reader->header), 1, reader->file) != 1) {
        return gw_fail(err, GW_E_IO, "examples '%.100s': cannot read record %llu", reader->path,
                       (unsigned long long)reader->next);
    }
    struct gw_example example = {.time_ms = (int64_t)gw_load_le64(record),
                                 .label_bits = gw_load_le64(record + 8),
                                 .features = (const float *)(const void *)(record + RECORD_PREFIX)};
    memcpy(&example.weight, record + 16, sizeof(float));
    if (!weight_is_legal(example.weight)) {
        return gw_fail(err, GW_E_INVALID, "examples '%.100s': record %llu: weight %g, expected finite and positive",
                       reader->path, (unsigned long long)reader->next, (double)example.weight);
    }
    reader->next++;
    *ret_example = example;
    *ret_more = true;
    return GW_OK;
}
