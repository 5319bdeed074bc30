// SPDX-License-Identifier: MIT
// `examples export`: final labels of one layout as a GWEX file, for people who train elsewhere.
//
// The topic is read twice: once to learn which layouts there are and how many of which time, once to write. The names
// behind a layout's fingerprint are those of the registry's versions.
#include "cli/models.h"

#include "base/mem.h"
#include "cli/commands.h"
#include "label/bits.h"
#include "model/examples.h"
#include "worker/example_reader.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 256, VERSIONS_PER_PAGE = 100 };

const struct gw_cli_option gw_cli_examples_options[] = {
    {"--out", "FILE", "written aside, then renamed", true},
    {"--since", "TIME", "served then or later: RFC 3339, milliseconds since 1970, or how long ago such as -2d", false},
    {"--until", "TIME", "served before", false},
    {"--max", "N", "at most so many, the newest", false},
    {"--layout", "HEX", "fingerprint of the features' names; default: that of the newest example", false},
    {NULL, NULL, NULL, false},
};

// What an example is chosen by.
struct stamp {
    int64_t time_ms;
    int64_t layout;
};

struct export_job {
    const struct gw_runtime *runtime;
    int64_t since_ms;
    int64_t until_ms;
    uint64_t max;
    bool layout_given;
    int64_t layout;
    struct gw_example_ranges ranges;

    struct stamp *stamps; // first pass
    size_t stamp_count;
    size_t stamp_capacity;
    uint64_t others;       // of other layouts
    int64_t oldest_ms;     // of those that are written,
    uint64_t oldest_count; // and how many of that millisecond

    const char **names; // the registry arena's
    size_t name_count;
    float *features;
    struct gw_examples_writer *writer;
    uint64_t written;
};

// ---- first pass -----------------------------------------------------------------------------------------------------

static gw_status note(void *context, const struct gw_labeled_example *example, gw_err *err)
{
    struct export_job *job = context;
    if (example->served_at_ms < job->since_ms || example->served_at_ms >= job->until_ms) {
        return GW_OK;
    }
    if (job->stamp_count == job->stamp_capacity) {
        size_t capacity = job->stamp_capacity > 0 ? job->stamp_capacity * 2 : 65536;
        struct stamp *stamps = gw_mem_realloc(job->stamps, capacity, sizeof *stamps);
        if (stamps == NULL) {
            return gw_fail(err, GW_E_MEMORY, "no memory for the times of %zu examples: narrow --since", capacity);
        }
        job->stamps = stamps;
        job->stamp_capacity = capacity;
    }
    job->stamps[job->stamp_count++] = (struct stamp){.time_ms = example->served_at_ms, .layout = example->layout};
    return GW_OK;
}

static int by_time_down(const void *left, const void *right)
{
    const struct stamp *a = left;
    const struct stamp *b = right;
    if (a->time_ms != b->time_ms) {
        return a->time_ms > b->time_ms ? -1 : 1;
    }
    return (a->layout > b->layout) - (a->layout < b->layout); // so that one of equals is chosen, always the same
}

// Settles layout and oldest time.
static gw_status choose(struct export_job *job, gw_err *err)
{
    if (job->stamp_count > 0) {
        qsort(job->stamps, job->stamp_count, sizeof *job->stamps, by_time_down);
    }
    uint64_t chosen = 0;
    for (size_t i = 0; i < job->stamp_count; i++) {
        const struct stamp *stamp = &job->stamps[i];
        if (i == 0 && !job->layout_given) {
            job->layout = stamp->layout;
        }
        if (stamp->layout != job->layout) {
            job->others++;
        } else if (chosen < job->max) {
            job->oldest_count = chosen > 0 && stamp->time_ms == job->oldest_ms ? job->oldest_count + 1 : 1;
            job->oldest_ms = stamp->time_ms;
            chosen++;
        }
    }
    if (chosen == 0) {
        return gw_fail(err, GW_E_NOT_FOUND, "no final example%s of that time; %" PRIu64 " are of other layouts",
                       job->layout_given ? " of that layout and" : "", job->others);
    }
    return GW_OK;
}

// ---- names ----------------------------------------------------------------------------------------------------------

static gw_status take_names(struct export_job *job, struct gw_json *json, struct gw_arena *arena, gw_err *err)
{
    GW_CLEANUP(gw_buf_deinit) struct gw_buf name = {0};
    bool more = false;
    job->name_count = 0;
    job->names = gw_arena_array(arena, GW_BUNDLE_FEATURES_MAX, sizeof *job->names);
    if (job->names == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for features' names");
    }
    GW_TRY(gw_json_enter(json, GW_JSON_ARRAY, err));
    for (;;) {
        GW_TRY(gw_json_next(json, &more, err));
        if (!more) {
            return GW_OK;
        }
        GW_TRY(gw_json_string(json, &name, NAME_BYTES, err));
        char *kept = gw_arena_alloc(arena, name.size + 1);
        if (kept == NULL || job->name_count == GW_BUNDLE_FEATURES_MAX) {
            return gw_fail(err, GW_E_TOO_LARGE, "more than %d features, or no memory for them", GW_BUNDLE_FEATURES_MAX);
        }
        memcpy(kept, name.data, name.size + 1);
        job->names[job->name_count++] = kept;
    }
}

// The names in a version's signature; *ret_found when its layout is the wanted one.
static gw_status read_signature(struct export_job *job, const char *signature, struct gw_arena *arena, bool *ret_found,
                                gw_err *err)
{
    char wanted[17];
    struct gw_json json;
    bool more = false;
    *ret_found = false;
    snprintf(wanted, sizeof wanted, "%016" PRIx64, (uint64_t)job->layout);
    gw_json_init(&json, gw_slice_text(signature));
    GW_TRY(gw_json_enter(&json, GW_JSON_OBJECT, err));
    for (;;) {
        struct gw_slice key;
        struct gw_slice layout;
        GW_TRY(gw_json_next(&json, &more, err));
        if (!more) {
            return GW_OK;
        }
        GW_TRY(gw_json_key(&json, &key, err));
        if (gw_slice_is(key, "features")) {
            GW_TRY(take_names(job, &json, arena, err));
        } else if (gw_slice_is(key, "layout")) {
            GW_TRY(gw_json_raw(&json, &layout, err));
            *ret_found = gw_slice_is(layout, wanted);
        } else {
            GW_TRY(gw_json_skip(&json, err));
        }
    }
}

static gw_status search_model(struct export_job *job, struct gw_cli_registry *registry, const char *model,
                              bool *ret_found, gw_err *err)
{
    const struct gw_registry_version *versions = NULL;
    size_t count = VERSIONS_PER_PAGE;
    for (int32_t before = 0; count == VERSIONS_PER_PAGE; before = versions[count - 1].version) {
        GW_TRY(gw_registry_list_versions(registry->handle, model, before, VERSIONS_PER_PAGE, &registry->arena,
                                         &versions, &count, err));
        for (size_t i = 0; i < count; i++) {
            GW_TRY(read_signature(job, versions[i].signature_json, &registry->arena, ret_found, err));
            if (*ret_found) {
                return GW_OK;
            }
        }
    }
    return GW_OK;
}

static gw_status find_names(struct export_job *job, struct gw_cli_registry *registry, gw_err *err)
{
    const struct gw_registry_model *models = NULL;
    size_t count = 0;
    bool found = false;
    GW_TRY(gw_registry_list_models(registry->handle, &registry->arena, &models, &count, err));
    for (size_t i = 0; i < count && !found; i++) {
        GW_TRY(search_model(job, registry, models[i].name, &found, err));
    }
    if (!found) {
        return gw_fail(err, GW_E_NOT_FOUND, "no registered version has features of layout %016" PRIx64,
                       (uint64_t)job->layout);
    }
    return GW_OK;
}

// ---- second pass ----------------------------------------------------------------------------------------------------

static gw_status append(void *context, const struct gw_labeled_example *example, gw_err *err)
{
    struct export_job *job = context;
    if (example->layout != job->layout || example->served_at_ms < job->oldest_ms ||
        example->served_at_ms >= job->until_ms) {
        return GW_OK;
    }
    if (example->served_at_ms == job->oldest_ms) {
        if (job->oldest_count == 0) {
            return GW_OK; // more of that millisecond than --max lets in
        }
        job->oldest_count--;
    }
    if (example->features.size != job->name_count * sizeof(float)) {
        return gw_fail(err, GW_E_MISMATCH, "an example has %zu bytes of features, layout %016" PRIx64 " has %zu names",
                       example->features.size, (uint64_t)job->layout, job->name_count);
    }
    memcpy(job->features, example->features.data, example->features.size);
    const struct gw_example row = {.time_ms = example->served_at_ms,
                                   .label_bits = (uint64_t)example->label_bits,
                                   .weight = example->weight,
                                   .features = job->features};
    job->written++;
    return gw_examples_append(job->writer, &row, err);
}

static gw_status write_file(struct export_job *job, const char *path, gw_err *err)
{
    char layout[17];
    snprintf(layout, sizeof layout, "%016" PRIx64, (uint64_t)job->layout);
    const struct gw_examples_header header = {.feature_count = job->name_count,
                                              .feature_names = job->names,
                                              .label_count = GW_LABEL_COUNT,
                                              .label_names = gw_label_names,
                                              .layout = layout};
    job->features = gw_mem_calloc(GW_MAX(job->name_count, 1), sizeof *job->features);
    if (job->features == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a vector");
    }
    GW_TRY(gw_examples_writer_new(path, &header, &job->writer, err));
    GW_TRY(gw_example_read(job->runtime, &job->ranges, append, job, err));
    return gw_examples_finish(job->writer, err);
}

static gw_status print_report(const struct gw_cli *cli, const struct export_job *job, const char *path, gw_err *err)
{
    if (!cli->json) {
        printf("%" PRIu64 " examples of layout %016" PRIx64 " with %zu features in '%s'; %" PRIu64
               " are of other layouts\n",
               job->written, (uint64_t)job->layout, job->name_count, path, job->others);
        return GW_OK;
    }
    char layout[17];
    GW_CLEANUP(gw_buf_deinit) struct gw_buf out = {0};
    struct gw_json_writer writer;
    snprintf(layout, sizeof layout, "%016" PRIx64, (uint64_t)job->layout);
    gw_json_writer_init(&writer, &out);
    gw_json_object_begin(&writer);
    gw_json_write_key(&writer, "examples");
    gw_json_write_u64(&writer, job->written);
    gw_json_write_key(&writer, "layout");
    gw_json_write_text(&writer, layout);
    gw_json_write_key(&writer, "features");
    gw_json_write_u64(&writer, job->name_count);
    gw_json_write_key(&writer, "of_other_layouts");
    gw_json_write_u64(&writer, job->others);
    gw_json_object_end(&writer);
    return gw_cli_print_json(&writer, err);
}

// ---- the verb -------------------------------------------------------------------------------------------------------

static gw_status take_options(const struct gw_cli *cli, struct export_job *job, gw_err *err)
{
    const char *layout = gw_cli_value(cli, "--layout");
    GW_TRY(gw_cli_time(cli, "--since", 0, &job->since_ms, err));
    GW_TRY(gw_cli_time(cli, "--until", INT64_MAX, &job->until_ms, err));
    GW_TRY(gw_cli_u64(cli, "--max", UINT64_MAX, 1, UINT64_MAX, &job->max, err));
    if (job->since_ms >= job->until_ms) {
        return gw_fail(err, GW_E_CONFIG, "--since is not before --until");
    }
    if (layout != NULL) {
        char *end = NULL;
        job->layout_given = true;
        job->layout = (int64_t)strtoull(layout, &end, 16);
        if (strlen(layout) != 16 || *end != '\0' || strspn(layout, "0123456789abcdef") != 16) {
            return gw_fail(err, GW_E_CONFIG, "--layout '%.40s', expected 16 hexadecimal digits in lower case", layout);
        }
    }
    return GW_OK;
}

// Set by a signal; also what the runtime looks at.
static atomic_bool stop;

static void on_signal(int number)
{
    (void)number;
    atomic_store(&stop, true);
}

static gw_status run(const struct gw_cli *cli, struct export_job *job, struct gw_cli_registry *registry, gw_err *err)
{
    const char *path = gw_cli_value(cli, "--out");
    // What was served since then was closed, and so appended, since then.
    GW_TRY(gw_example_ranges_ask(job->runtime, job->since_ms, &job->ranges, err));
    GW_TRY(gw_example_read(job->runtime, &job->ranges, note, job, err));
    GW_TRY(choose(job, err));
    GW_TRY(find_names(job, registry, err));
    GW_TRY(write_file(job, path, err));
    return print_report(cli, job, path, err);
}

gw_status gw_cli_examples_export(struct gw_cli *cli, gw_err *err)
{
    struct gw_runtime runtime;
    struct gw_cli_registry registry = {0};
    struct export_job *job = gw_mem_calloc(1, sizeof *job);
    if (job == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for an export");
    }
    gw_status status = take_options(cli, job, err);
    if (status == GW_OK) {
        signal(SIGINT, on_signal); // the file aside is removed
        signal(SIGTERM, on_signal);
        status = gw_runtime_init(&runtime, cli->config, GW_RUNTIME_SCHEMAS, &stop, err);
    }
    if (status == GW_OK) {
        job->runtime = &runtime;
        status = gw_cli_registry_open(cli, &registry, err);
        if (status == GW_OK) {
            status = run(cli, job, &registry, err);
        }
        gw_cli_registry_close(&registry);
        gw_runtime_deinit(&runtime);
    }
    gw_examples_writer_free(job->writer);
    gw_mem_free(job->stamps);
    gw_mem_free(job->features);
    gw_mem_free(job);
    return status;
}
