// SPDX-License-Identifier: MIT
// `predict`: rows of a CSV file through a model, in batches. Columns named like a feature of the model are its input,
// all others are carried through.
#include "cli/commands.h"

#include "base/mem.h"
#include "base/number.h"
#include "base/suggest.h"
#include "cli/csv.h"
#include "model/manifest.h"
#include "model/scorer.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#define BATCH_FLOATS_MAX ((size_t)1 << 20)
#define BATCH_ROWS_MAX   ((size_t)1024)
#define BATCH_TEXT_MAX   ((size_t)8 << 20) // of carried columns
#define NOT_A_FEATURE    UINT32_MAX

struct predict {
    const struct gw_cli *cli;
    struct gw_csv csv;
    struct gw_bundle *bundle;
    const struct gw_bundle_info *info;
    struct gw_scorer *scorer;

    char **columns; // the file's names
    size_t column_count;
    uint32_t *features; // of each column, or NOT_A_FEATURE
    struct gw_buf keys; // with --json: names of columns, then of heads, escaped for JSON, each with a NUL

    size_t batch_rows;
    size_t row_count; // in the batch
    float *rows;
    float *margins;
    float *probabilities;
    float *scores;
    float *confidences;
    struct gw_buf carried; // the other columns' values, each as size_t length and bytes, row after row
    struct gw_buf out;
};

static gw_status no_memory(gw_err *err)
{
    return gw_fail(err, GW_E_MEMORY, "no memory to predict");
}

// ---- the first line -------------------------------------------------------------------------------------------------

static gw_status take_columns(struct predict *p, gw_err *err)
{
    bool more = false;
    GW_TRY(gw_csv_next(&p->csv, &more, err));
    if (!more) {
        return gw_fail(err, GW_E_MALFORMED, "%s: is empty, expected a first line that names the columns", p->csv.name);
    }
    p->columns = gw_mem_calloc(p->csv.field_count, sizeof *p->columns);
    p->features = gw_mem_calloc(p->csv.field_count, sizeof *p->features);
    if (p->columns == NULL || p->features == NULL) {
        return no_memory(err);
    }
    p->column_count = p->csv.field_count;
    for (size_t c = 0; c < p->column_count; c++) {
        struct gw_slice name = gw_csv_field(&p->csv, c);
        const struct gw_csv_field *field = &p->csv.fields[c];
        p->columns[c] = gw_mem_strndup(name.size > 0 ? (const char *)name.data : "", name.size);
        if (p->columns[c] == NULL) {
            return no_memory(err);
        }
        for (size_t i = 0; i < c; i++) {
            if (strcmp(p->columns[i], p->columns[c]) == 0) {
                return gw_fail(err, GW_E_MALFORMED, "%s:%zu:%zu: column '%.80s' twice", p->csv.name, field->line,
                               field->column, p->columns[c]);
            }
        }
        p->features[c] = NOT_A_FEATURE;
    }
    return GW_OK;
}

static gw_status bind_columns(struct predict *p, gw_err *err)
{
    for (size_t f = 0; f < p->info->feature_count; f++) {
        const char *name = p->info->feature_names[f];
        struct gw_suggestion suggestion;
        size_t c = 0;
        gw_suggestion_start(&suggestion, name, strlen(name));
        while (c < p->column_count && strcmp(p->columns[c], name) != 0) {
            gw_suggestion_offer(&suggestion, p->columns[c++]);
        }
        if (c == p->column_count) {
            return gw_fail(err, GW_E_CONFIG, "%s: no column '%.80s', which the model needs%s", p->csv.name, name,
                           gw_suggestion_text(&suggestion));
        }
        p->features[c] = (uint32_t)f;
    }
    return GW_OK;
}

static gw_status add_key(struct gw_buf *keys, const char *name, gw_err *err)
{
    struct gw_buf quoted = {0};
    struct gw_json_writer writer;
    gw_json_writer_init(&writer, &quoted);
    gw_json_write_text(&writer, name);
    gw_status status = gw_json_writer_finish(&writer, err);
    if (status == GW_OK &&
        (gw_buf_append(keys, quoted.data + 1, quoted.size - 2) != GW_OK || gw_buf_append(keys, "", 1) != GW_OK)) {
        status = no_memory(err);
    }
    gw_buf_deinit(&quoted);
    return status;
}

static gw_status prepare_keys(struct predict *p, gw_err *err)
{
    for (size_t c = 0; c < p->column_count; c++) {
        GW_TRY(add_key(&p->keys, p->columns[c], err));
    }
    for (size_t h = 0; h < p->info->head_count; h++) {
        GW_TRY(add_key(&p->keys, p->info->heads[h].name, err));
    }
    return GW_OK;
}

static gw_status prepare_batch(struct predict *p, gw_err *err)
{
    size_t width = p->info->feature_count;
    size_t heads = p->info->head_count;
    p->batch_rows = GW_MAX(GW_MIN(BATCH_FLOATS_MAX / GW_MAX(width, (size_t)1), BATCH_ROWS_MAX), (size_t)1);
    p->rows = gw_mem_calloc(p->batch_rows * width, sizeof *p->rows);
    p->margins = gw_mem_calloc(p->batch_rows * heads, sizeof *p->margins);
    p->probabilities = gw_mem_calloc(p->batch_rows * heads, sizeof *p->probabilities);
    p->scores = gw_mem_calloc(p->batch_rows, sizeof *p->scores);
    p->confidences = gw_mem_calloc(p->batch_rows, sizeof *p->confidences);
    bool whole = p->rows != NULL && p->margins != NULL && p->probabilities != NULL && p->scores != NULL &&
                 p->confidences != NULL;
    return whole ? gw_scorer_new(p->bundle, NULL, width, &p->scorer, err) : no_memory(err);
}

// ---- rows -----------------------------------------------------------------------------------------------------------

static bool is_word(struct gw_slice text, const char *word)
{
    return text.size == strlen(word) && strncasecmp((const char *)text.data, word, text.size) == 0;
}

// NaN when empty. Besides JSON's numbers: a plus sign, nan, inf, infinity in any case, as other programs write them.
static bool parse_value(struct gw_slice text, float *ret_value)
{
    while (text.size > 0 && text.data[0] == ' ') {
        text = gw_slice_make(text.data + 1, text.size - 1);
    }
    while (text.size > 0 && text.data[text.size - 1] == ' ') {
        text.size--;
    }
    if (text.size == 0 || is_word(text, "nan")) {
        *ret_value = NAN;
        return true;
    }
    if (text.data[0] == '+' && text.size > 1 && text.data[1] != '-') {
        text = gw_slice_make(text.data + 1, text.size - 1);
    }
    bool negative = text.data[0] == '-';
    struct gw_slice size = negative ? gw_slice_make(text.data + 1, text.size - 1) : text;
    if (is_word(size, "inf") || is_word(size, "infinity")) {
        *ret_value = negative ? -INFINITY : INFINITY;
        return true;
    }
    struct gw_number number;
    return gw_number_scan(text.data, text.size, &number) == text.size &&
           gw_number_float(&number, ret_value, NULL) == GW_OK;
}

static gw_status take_row(struct predict *p, gw_err *err)
{
    float *row = p->rows + p->row_count * p->info->feature_count;
    for (size_t c = 0; c < p->column_count; c++) {
        struct gw_slice text = gw_csv_field(&p->csv, c);
        const struct gw_csv_field *field = &p->csv.fields[c];
        if (p->features[c] == NOT_A_FEATURE) {
            if (gw_buf_append(&p->carried, &text.size, sizeof text.size) != GW_OK ||
                gw_buf_append(&p->carried, text.data, text.size) != GW_OK) {
                return no_memory(err);
            }
        } else if (!parse_value(text, &row[p->features[c]])) {
            return gw_fail(err, GW_E_MALFORMED, "%s:%zu:%zu: '%.*s' in column '%.60s' is no number a float can hold",
                           p->csv.name, field->line, field->column, (int)GW_MIN(text.size, (size_t)40),
                           text.size > 0 ? (const char *)text.data : "", p->columns[c]);
        }
    }
    p->row_count++;
    return GW_OK;
}

// The next carried value of the batch; *at moves behind it.
static struct gw_slice next_carried(const struct predict *p, size_t *at)
{
    size_t size = 0;
    memcpy(&size, p->carried.data + *at, sizeof size);
    struct gw_slice value = gw_slice_make(p->carried.data + *at + sizeof size, size);
    *at += sizeof size + size;
    return value;
}

// ---- output ---------------------------------------------------------------------------------------------------------

static gw_status append_names(struct predict *p)
{
    for (size_t c = 0; c < p->column_count; c++) {
        if (p->features[c] == NOT_A_FEATURE) {
            GW_TRY(gw_csv_append(&p->out, gw_slice_text(p->columns[c])));
            GW_TRY(gw_buf_append(&p->out, ",", 1));
        }
    }
    GW_TRY(gw_buf_append_text(&p->out, "score,confidence"));
    for (size_t h = 0; h < p->info->head_count; h++) {
        // A head may be called score too.
        char name[sizeof "head_" + GW_MANIFEST_NAME_BYTES];
        snprintf(name, sizeof name, "head_%s", p->info->heads[h].name);
        GW_TRY(gw_buf_append(&p->out, ",", 1));
        GW_TRY(gw_csv_append(&p->out, gw_slice_text(name)));
    }
    return gw_buf_append(&p->out, "\n", 1);
}

static gw_status append_csv(struct predict *p, size_t r, size_t *carried_at)
{
    for (size_t c = 0; c < p->column_count; c++) {
        if (p->features[c] == NOT_A_FEATURE) {
            GW_TRY(gw_csv_append(&p->out, next_carried(p, carried_at)));
            GW_TRY(gw_buf_append(&p->out, ",", 1));
        }
    }
    GW_TRY(gw_buf_append_format(&p->out, "%.9g,%.9g", (double)p->scores[r], (double)p->confidences[r]));
    for (size_t h = 0; h < p->info->head_count; h++) {
        float probability = p->probabilities[r * p->info->head_count + h];
        GW_TRY(gw_buf_append_format(&p->out, ",%.9g", (double)probability));
    }
    return gw_buf_append(&p->out, "\n", 1);
}

// One object a line: {"columns":{...},"score":...,"confidence":...,"heads":{...}}.
static gw_status append_json(struct predict *p, size_t r, size_t *carried_at)
{
    struct gw_json_writer writer;
    const char *key = (const char *)p->keys.data;
    gw_json_writer_init(&writer, &p->out);
    gw_json_object_begin(&writer);
    gw_json_write_key(&writer, "columns");
    gw_json_object_begin(&writer);
    for (size_t c = 0; c < p->column_count; c++, key += strlen(key) + 1) {
        if (p->features[c] == NOT_A_FEATURE) {
            gw_json_write_key(&writer, key);
            gw_json_write_string(&writer, next_carried(p, carried_at));
        }
    }
    gw_json_object_end(&writer);
    gw_json_write_key(&writer, "score");
    gw_json_write_float(&writer, p->scores[r]);
    gw_json_write_key(&writer, "confidence");
    gw_json_write_float(&writer, p->confidences[r]);
    gw_json_write_key(&writer, "heads");
    gw_json_object_begin(&writer);
    for (size_t h = 0; h < p->info->head_count; h++, key += strlen(key) + 1) {
        gw_json_write_key(&writer, key);
        gw_json_write_float(&writer, p->probabilities[r * p->info->head_count + h]);
    }
    gw_json_object_end(&writer);
    gw_json_object_end(&writer);
    GW_TRY(gw_json_writer_finish(&writer, NULL));
    return gw_buf_append(&p->out, "\n", 1);
}

static gw_status write_out(struct predict *p, gw_err *err)
{
    size_t written = fwrite(p->out.data, 1, p->out.size, stdout);
    if (written != p->out.size) {
        return gw_fail(err, GW_E_IO, "cannot write to stdout: %s", strerror(errno));
    }
    gw_buf_clear(&p->out);
    return GW_OK;
}

static gw_status score_batch(struct predict *p, gw_err *err)
{
    size_t carried_at = 0;
    gw_scorer_margins(p->scorer, p->rows, p->info->feature_count, p->row_count, p->margins);
    gw_scorer_finish(p->scorer, p->margins, p->row_count, p->probabilities, p->scores, p->confidences);
    for (size_t r = 0; r < p->row_count; r++) {
        if ((p->cli->json ? append_json(p, r, &carried_at) : append_csv(p, r, &carried_at)) != GW_OK) {
            return no_memory(err);
        }
    }
    p->row_count = 0;
    gw_buf_clear(&p->carried);
    return write_out(p, err);
}

static gw_status score_rows(struct predict *p, gw_err *err)
{
    for (bool more = true; more;) {
        GW_TRY(gw_csv_next(&p->csv, &more, err));
        if (more) {
            GW_TRY(take_row(p, err));
        }
        bool full = p->row_count == p->batch_rows || p->carried.size >= BATCH_TEXT_MAX;
        if (p->row_count > 0 && (full || !more)) {
            GW_TRY(score_batch(p, err));
        }
    }
    return GW_OK;
}

// ---- the whole ------------------------------------------------------------------------------------------------------

static gw_status predict(struct predict *p, FILE *stream, gw_err *err)
{
    const char *rows = gw_cli_value(p->cli, "--rows");
    GW_TRY(gw_csv_init(&p->csv, strcmp(rows, "-") == 0 ? "stdin" : rows, stream, err));
    GW_TRY(take_columns(p, err));
    GW_TRY(gw_cli_load_model(gw_cli_value(p->cli, "--model"), (const char *const *)p->columns, p->column_count,
                             &p->bundle, err));
    p->info = gw_bundle_info(p->bundle);
    GW_TRY(bind_columns(p, err));
    GW_TRY(prepare_batch(p, err));
    if (p->cli->json) {
        GW_TRY(prepare_keys(p, err));
    } else if (append_names(p) != GW_OK) {
        return no_memory(err);
    }
    GW_TRY(score_rows(p, err));
    return write_out(p, err);
}

static void deinit(struct predict *p)
{
    for (size_t c = 0; c < p->column_count; c++) {
        gw_mem_free(p->columns[c]);
    }
    gw_mem_free(p->columns);
    gw_mem_free(p->features);
    gw_mem_free(p->rows);
    gw_mem_free(p->margins);
    gw_mem_free(p->probabilities);
    gw_mem_free(p->scores);
    gw_mem_free(p->confidences);
    gw_buf_deinit(&p->keys);
    gw_buf_deinit(&p->carried);
    gw_buf_deinit(&p->out);
    gw_scorer_free(p->scorer);
    gw_bundle_unref(p->bundle);
    gw_csv_deinit(&p->csv);
}

gw_status gw_cli_predict(struct gw_cli *cli, gw_err *err)
{
    const char *path = gw_cli_value(cli, "--rows");
    bool from_stdin = strcmp(path, "-") == 0;
    FILE *stream = from_stdin ? stdin : fopen(path, "re");
    if (stream == NULL) {
        return gw_fail(err, GW_E_NOT_FOUND, "rows '%s': %s", path, strerror(errno));
    }
    struct predict p = {.cli = cli};
    gw_status status = predict(&p, stream, err);
    deinit(&p);
    if (!from_stdin) {
        fclose(stream);
    }
    return status;
}
