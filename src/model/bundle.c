// SPDX-License-Identifier: MIT
#include "model/bundle.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/ini.h"
#include "base/mem.h"
#include "model/bundle_impl.h"
#include "model/bundle_write.h"
#include "model/file.h"
#include "model/golden.h"
#include "model/manifest.h"
#include "model/model_file.h"
#include "model/plan.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ARENA_BLOCK_BYTES ((size_t)64 << 10)
#define ARENA_LIMIT_BYTES ((size_t)8 << 20)

static struct gw_bundle *bundle_new(void)
{
    struct gw_bundle *bundle = gw_mem_calloc(1, sizeof *bundle);
    if (bundle == NULL) {
        return NULL;
    }
    atomic_init(&bundle->refs, 1);
    gw_arena_init(&bundle->arena, ARENA_BLOCK_BYTES, ARENA_LIMIT_BYTES);
    bundle->info.digest = bundle->digest;
    bundle->info.heads = bundle->heads;
    return bundle;
}

struct gw_bundle *gw_bundle_ref(struct gw_bundle *bundle)
{
    unsigned before = atomic_fetch_add_explicit(&bundle->refs, 1, memory_order_relaxed);
    GW_ASSERT(before > 0);
    return bundle;
}

void gw_bundle_unref(struct gw_bundle *bundle)
{
    if (bundle == NULL || atomic_fetch_sub_explicit(&bundle->refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    for (size_t h = 0; h < GW_BUNDLE_HEADS_MAX; h++) {
        gw_forest_free(bundle->forests[h]);
    }
    gw_mem_free(bundle->profile);
    gw_arena_deinit(&bundle->arena);
    gw_mem_free(bundle);
}

const struct gw_bundle_info *gw_bundle_info(const struct gw_bundle *bundle)
{
    return &bundle->info;
}

uint64_t gw_bundle_layout(const struct gw_bundle_info *info)
{
    uint64_t layout = GW_HASH_FNV_START;
    for (size_t i = 0; i < info->feature_count; i++) {
        layout = gw_hash_fnv1a(layout, info->feature_names[i], strlen(info->feature_names[i]) + 1);
    }
    return layout;
}

// A bundle's directory while it is read.
struct loader {
    const char *directory;
    struct gw_manifest manifest;
    struct gw_bundle *bundle;
    char *text; // of the file being read
    size_t text_size;
    gw_err *err;
};

static gw_status read_text(struct loader *in, const char *path, size_t limit)
{
    gw_mem_free(in->text);
    in->text = NULL;
    return gw_file_read(path, limit, &in->text, &in->text_size, in->err);
}

// Reads a file that the manifest names and compares its digest.
static gw_status read_listed(struct loader *in, const char *name, size_t limit)
{
    char path[GW_MODEL_PATH_BYTES];
    GW_TRY(gw_model_path(in->directory, name, path, in->err));
    GW_TRY(read_text(in, path, limit));
    char digest[GW_SHA256_HEX_BYTES];
    gw_sha256_hex(in->text, in->text_size, digest);
    size_t f = 0;
    while (strcmp(in->manifest.files[f].name, name) != 0) {
        f++;
        GW_ASSERT(f < in->manifest.file_count); // gw_manifest_parse has checked
    }
    if (strcmp(in->manifest.files[f].sha256, digest) != 0) {
        return gw_fail(in->err, GW_E_MISMATCH, "file '%s': its digest is %.12s, bundle.json says %.12s", name, digest,
                       in->manifest.files[f].sha256);
    }
    return GW_OK;
}

static gw_status check_head(const struct loader *in, const struct gw_manifest_head *head,
                            const struct gw_forest *forest)
{
    if (forest->feature_count != in->manifest.feature_count) {
        return gw_fail(in->err, GW_E_MISMATCH, "feature count %u, bundle.json has %zu", forest->feature_count,
                       in->manifest.feature_count);
    }
    for (uint32_t f = 0; forest->feature_names != NULL && f < forest->feature_count; f++) {
        if (strcmp(forest->feature_names[f], in->manifest.feature_names[f]) != 0) {
            return gw_fail(in->err, GW_E_MISMATCH, "feature %u is '%.64s', in bundle.json '%.64s'", f,
                           forest->feature_names[f], in->manifest.feature_names[f]);
        }
    }
    if (head->objective != NULL && strcmp(head->objective, gw_objective_name(forest->objective)) != 0) {
        return gw_fail(in->err, GW_E_MISMATCH, "objective '%s', in bundle.json '%.64s'",
                       gw_objective_name(forest->objective), head->objective);
    }
    return GW_OK;
}

static void set_head(struct gw_bundle *bundle, size_t h, const struct gw_manifest_head *head)
{
    const struct gw_forest *forest = bundle->forests[h];
    bundle->calibrations[h] = head->calibration;
    bundle->heads[h] = (struct gw_bundle_head){.name = head->name,
                                               .weight = head->weight,
                                               .tree_count = forest->tree_count,
                                               .depth_max = forest->depth_max,
                                               .objective = gw_objective_name(forest->objective)};
}

static gw_status parse_head(struct loader *in, size_t h, struct gw_slice model)
{
    const struct gw_manifest_head *head = &in->manifest.heads[h];
    GW_TRY(gw_model_parse(model, &in->bundle->forests[h], in->err));
    GW_TRY(check_head(in, head, in->bundle->forests[h]));
    set_head(in->bundle, h, head);
    return GW_OK;
}

static gw_status load_head(struct loader *in, size_t h)
{
    const char *file = in->manifest.heads[h].file;
    GW_TRY(read_listed(in, file, GW_MODEL_FILE_BYTES_MAX));
    gw_status status = parse_head(in, h, gw_slice_make(in->text, in->text_size));
    return status == GW_OK ? GW_OK : gw_fail_context(in->err, status, "file '%s'", file);
}

static gw_status compare_margins(const struct loader *in, const struct gw_golden *golden, const float *margins)
{
    for (size_t i = 0; i < golden->head_count * golden->row_count; i++) {
        if (memcmp(&margins[i], &golden->margins[i], sizeof(float)) != 0) {
            return gw_fail(in->err, GW_E_MISMATCH, "head '%s': golden row %zu has margin %.9g, recorded is %.9g",
                           in->manifest.heads[i / golden->row_count].name, i % golden->row_count, (double)margins[i],
                           (double)golden->margins[i]);
        }
    }
    return GW_OK;
}

static gw_status rescore(struct loader *in, const struct gw_golden *golden)
{
    const size_t width = golden->feature_count;
    GW_CLEANUP(gw_mem_cleanup) uint32_t *columns = gw_mem_calloc(width, sizeof *columns);
    GW_CLEANUP(gw_mem_cleanup)
    float *margins = gw_mem_calloc(golden->head_count * golden->row_count, sizeof *margins);
    if (columns == NULL || margins == NULL) {
        return gw_fail(in->err, GW_E_MEMORY, "no memory for golden rows");
    }
    for (size_t f = 0; f < width; f++) {
        columns[f] = (uint32_t)f;
    }
    struct gw_plan *plan = NULL;
    GW_TRY(gw_plan_new(in->bundle->forests, golden->head_count, columns, width, &plan, in->err));
    gw_plan_margins(plan, golden->rows, width, golden->row_count, margins);
    gw_plan_free(plan);
    return compare_margins(in, golden, margins);
}

static gw_status load_golden(struct loader *in)
{
    GW_TRY(read_listed(in, in->manifest.golden_file, GW_GOLDEN_BYTES_MAX));
    struct gw_golden golden = {0};
    gw_status status = gw_golden_parse(gw_slice_make(in->text, in->text_size), &in->manifest, &golden, in->err);
    if (status != GW_OK) {
        return gw_fail_context(in->err, status, "file '%s'", in->manifest.golden_file);
    }
    in->bundle->info.golden_row_count = golden.row_count;
    status = rescore(in, &golden);
    gw_golden_deinit(&golden);
    return status;
}

// Whoever has use for the drift reference parses it; here it is bytes with a digest.
static gw_status load_profile(struct loader *in)
{
    if (in->manifest.profile_file == NULL) {
        return GW_OK;
    }
    GW_TRY(read_listed(in, in->manifest.profile_file, GW_BUNDLE_PROFILE_BYTES_MAX));
    if (in->text_size == 0) {
        return gw_fail(in->err, GW_E_INVALID, "file '%s' is empty", in->manifest.profile_file);
    }
    in->bundle->profile = in->text;
    in->bundle->info.profile = gw_slice_make(in->text, in->text_size);
    in->text = NULL;
    return GW_OK;
}

static void set_info(struct loader *in)
{
    struct gw_bundle_info *info = &in->bundle->info;
    info->model_name = in->manifest.model_name;
    info->version = in->manifest.version;
    info->feature_count = in->manifest.feature_count;
    info->feature_names = in->manifest.feature_names;
    info->head_count = in->manifest.head_count;
    info->primary_head = in->manifest.primary_head;
    info->metadata_json = in->manifest.metadata_json;
}

static gw_status load(struct loader *in)
{
    char path[GW_MODEL_PATH_BYTES];
    GW_TRY(gw_model_path(in->directory, GW_MANIFEST_FILE, path, in->err));
    GW_TRY(read_text(in, path, GW_MANIFEST_BYTES_MAX));
    gw_sha256_hex(in->text, in->text_size, in->bundle->digest);
    gw_status status =
        gw_manifest_parse(gw_slice_make(in->text, in->text_size), &in->bundle->arena, &in->manifest, in->err);
    if (status != GW_OK) {
        return gw_fail_context(in->err, status, "file '%s'", GW_MANIFEST_FILE);
    }

    set_info(in);
    for (size_t h = 0; h < in->manifest.head_count; h++) {
        GW_TRY(load_head(in, h));
    }
    GW_TRY(load_profile(in));
    return load_golden(in);
}

gw_status gw_bundle_load(const char *directory, struct gw_bundle **ret_bundle, gw_err *err)
{
    struct loader in = {.directory = directory, .err = err, .bundle = bundle_new()};
    if (in.bundle == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a bundle");
    }
    gw_status status = load(&in);
    gw_mem_free(in.text);
    if (status != GW_OK) {
        gw_bundle_unref(in.bundle);
        return gw_fail_context(err, status, "bundle '%.100s'", directory);
    }
    *ret_bundle = in.bundle;
    return GW_OK;
}

static const char *keep(struct gw_bundle *bundle, const char *text, size_t size)
{
    char *copy = gw_arena_alloc(&bundle->arena, size + 1);
    if (copy != NULL) {
        memcpy(copy, text, size);
        copy[size] = '\0';
    }
    return copy;
}

// Copies names into the bundle; NULL without memory.
static const char *const *keep_names(struct gw_bundle *bundle, const char *const *names, size_t count)
{
    const char **to = gw_arena_array(&bundle->arena, count, sizeof *to);
    for (size_t f = 0; to != NULL && f < count; f++) {
        to[f] = keep(bundle, names[f], strlen(names[f]));
        if (to[f] == NULL) {
            return NULL;
        }
    }
    return to;
}

// Copies the strings of a manifest that are somebody else's.
static gw_status own_manifest(struct gw_bundle *bundle, struct gw_manifest *manifest, gw_err *err)
{
    manifest->model_name = keep(bundle, manifest->model_name, strlen(manifest->model_name));
    manifest->metadata_json =
        manifest->metadata_json != NULL ? keep(bundle, manifest->metadata_json, strlen(manifest->metadata_json)) : "{}";
    manifest->feature_names = keep_names(bundle, manifest->feature_names, manifest->feature_count);
    bool whole = manifest->model_name != NULL && manifest->metadata_json != NULL && manifest->feature_names != NULL;
    for (size_t h = 0; h < manifest->head_count; h++) {
        manifest->heads[h].name = keep(bundle, manifest->heads[h].name, strlen(manifest->heads[h].name));
        whole &= manifest->heads[h].name != NULL;
    }
    return whole ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory for a bundle's names");
}

static gw_status take_draft(struct loader *in, const struct gw_bundle_draft *draft)
{
    in->manifest = draft->manifest;
    GW_TRY(own_manifest(in->bundle, &in->manifest, in->err));
    set_info(in);
    for (size_t h = 0; h < in->manifest.head_count; h++) {
        gw_status status = parse_head(in, h, draft->models[h]);
        if (status != GW_OK) {
            return gw_fail_context(in->err, status, "head '%s'", in->manifest.heads[h].name);
        }
    }
    return GW_OK;
}

gw_status gw_bundle_of_draft(const struct gw_bundle_draft *draft, struct gw_bundle **ret_bundle, gw_err *err)
{
    struct loader in = {.err = err, .bundle = bundle_new()};
    if (in.bundle == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a bundle");
    }
    gw_status status = take_draft(&in, draft);
    if (status != GW_OK) {
        gw_bundle_unref(in.bundle);
        return status;
    }
    *ret_bundle = in.bundle;
    return GW_OK;
}

// Copies the names of a bare file's features: the file's own, else the caller's.
static gw_status name_features(struct gw_bundle *bundle, const char *const *names, size_t count, gw_err *err)
{
    const struct gw_forest *forest = bundle->forests[0];
    const char *const *from = forest->feature_names != NULL ? (const char *const *)forest->feature_names : names;
    if (from == NULL) {
        return gw_fail(err, GW_E_INVALID, "no feature names, neither in the file nor given");
    }
    if (from == names && count != forest->feature_count) {
        return gw_fail(err, GW_E_MISMATCH, "feature count %u, %zu names are given", forest->feature_count, count);
    }
    bundle->info.feature_names = keep_names(bundle, from, forest->feature_count);
    if (bundle->info.feature_names == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for feature names");
    }
    bundle->info.feature_count = forest->feature_count;
    return GW_OK;
}

static gw_status load_bare(struct gw_bundle *bundle, const char *file, const char *const *names, size_t count,
                           gw_err *err)
{
    GW_CLEANUP(gw_mem_cleanup) char *text = NULL;
    size_t size = 0;
    GW_TRY(gw_file_read(file, GW_MODEL_FILE_BYTES_MAX, &text, &size, err));
    gw_sha256_hex(text, size, bundle->digest);
    gw_status status = gw_model_parse(gw_slice_make(text, size), &bundle->forests[0], err);
    if (status == GW_OK) {
        status = name_features(bundle, names, count, err);
    }
    if (status != GW_OK) {
        return gw_fail_context(err, status, "file '%.100s'", file);
    }
    const char *base = strrchr(file, '/');
    base = base != NULL ? base + 1 : file;
    bundle->info.model_name = keep(bundle, base, strcspn(base, "."));
    if (bundle->info.model_name == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a model name");
    }
    const struct gw_manifest_head head = {.name = "score", .weight = 1, .calibration = {.negative_rate = 1}};
    set_head(bundle, 0, &head);
    bundle->info.head_count = 1;
    bundle->info.metadata_json = "{}";
    return GW_OK;
}

// The directory of which `file` is a bundle: itself, or where this bundle.json lies. False: `file` is something else.
static bool find_directory(const char *file, char ret_directory[GW_MODEL_PATH_BYTES])
{
    struct stat info;
    const char *slash = strrchr(file, '/');
    bool whole = stat(file, &info) == 0 && S_ISDIR(info.st_mode);
    if (!whole && strcmp(slash != NULL ? slash + 1 : file, GW_MANIFEST_FILE) != 0) {
        return false;
    }
    size_t size = whole ? strlen(file) : slash != NULL ? (size_t)(slash - file) + 1 : 0;
    int length = snprintf(ret_directory, GW_MODEL_PATH_BYTES, "%.*s", (int)GW_MIN(size, (size_t)GW_MODEL_PATH_BYTES),
                          size > 0 ? file : ".");
    return length >= 0 && length < GW_MODEL_PATH_BYTES;
}

gw_status gw_bundle_load_file(const char *file, const char *const *names, size_t count, struct gw_bundle **ret_bundle,
                              gw_err *err)
{
    char directory[GW_MODEL_PATH_BYTES];
    if (find_directory(file, directory)) {
        return gw_bundle_load(directory, ret_bundle, err);
    }
    struct gw_bundle *bundle = bundle_new();
    if (bundle == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for a bundle");
    }
    gw_status status = load_bare(bundle, file, names, count, err);
    if (status != GW_OK) {
        gw_bundle_unref(bundle);
        return status;
    }
    *ret_bundle = bundle;
    return GW_OK;
}
