// SPDX-License-Identifier: MIT
// `models create` and `models register`. Bundles that are made here on the way, of a bare file or as a baseline, lie in
// a folder of their own below score.model_directory until the registry has them.
#include "cli/commands.h"

#include "api/api.h"
#include "api/scratch.h"
#include "base/ini.h"
#include "base/mem.h"
#include "cli/models.h"
#include "model/baseline.h"
#include "model/bundle_import.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { FEATURES_FILE_BYTES_MAX = 1 << 20, TAG_NAME_BYTES = 65, TAG_BYTES_MAX = 1000 };

// A model of this name would be hidden behind GET /models/production.
#define RESERVED_NAME "production"
#define DEFAULT_HEAD  "score"

const struct gw_cli_option gw_cli_models_create_options[] = {
    {"--no-baseline", NULL, "without a version 1 that ranks by popularity (registry.baseline_feature)", false},
    {"--description", "TEXT", "what the model is for", false},
    GW_CLI_CHANGE_OPTIONS(false),
    {NULL, NULL, NULL, false},
};
const struct gw_cli_option gw_cli_models_register_options[] = {
    {"--features", "NAME,...", "of a bare file that does not name its own, in the order of its columns", false},
    {"--features-file", "FILE", "the same from a file, separated by commas or white space", false},
    {"--head", "NAME", "what a bare file predicts, such as is_favorited; default " DEFAULT_HEAD, false},
    {"--tag", "KEY=VALUE...", "may be repeated", false},
    {"--description", "TEXT", "what is new", false},
    GW_CLI_CHANGE_OPTIONS(false),
    {NULL, NULL, NULL, false},
};

static const char *text_of(const struct gw_cli *cli, const char *option)
{
    const char *value = gw_cli_value(cli, option);
    return value != NULL ? value : "";
}

// Gives a folder; the bundle's place in it is ret_path.
static gw_status make_scratch(const struct gw_cli *cli, struct gw_api_scratch *scratch,
                              char ret_path[GW_API_SCRATCH_BYTES + 16], gw_err *err)
{
    const char *root = gw_config_text(cli->config, GW_OPT_SCORE_MODEL_DIRECTORY);
    GW_TRY(gw_api_scratch_sweep(root, err));
    GW_TRY(gw_api_scratch_make(root, scratch, err));
    snprintf(ret_path, GW_API_SCRATCH_BYTES + 16, "%s/bundle", scratch->path);
    return GW_OK;
}

// ---- create ---------------------------------------------------------------------------------------------------------

static gw_status create_from(struct gw_cli_change *change, const char *baseline,
                             struct gw_registry_outcome *ret_outcome, gw_err *err)
{
    const struct gw_registry_create create = {
        .model = change->model, .description = text_of(change->cli, "--description"), .baseline = baseline};
    return gw_registry_create(change->registry.handle, &create, &change->meta, ret_outcome, err);
}

static gw_status create(struct gw_cli_change *change, struct gw_registry_outcome *ret_outcome, gw_err *err)
{
    struct gw_api_scratch scratch = {.lock = -1};
    char path[GW_API_SCRATCH_BYTES + 16];
    if (gw_cli_value(change->cli, "--no-baseline") != NULL) {
        return create_from(change, NULL, ret_outcome, err);
    }
    const char *feature = gw_config_text(change->cli->config, GW_OPT_REGISTRY_BASELINE_FEATURE);
    const struct gw_baseline baseline = {
        .model_name = change->model,
        .feature_name = feature[0] != '\0' ? feature : GW_API_BASELINE_FEATURE,
        .head_name = GW_BASELINE_HEAD,
        .prior_rate = GW_BASELINE_PRIOR,
    };
    GW_TRY(make_scratch(change->cli, &scratch, path, err));
    gw_status status = gw_baseline_write(&baseline, path, NULL, err);
    if (status == GW_OK) {
        status = create_from(change, path, ret_outcome, err);
    }
    gw_api_scratch_remove(&scratch);
    return status;
}

gw_status gw_cli_models_create(struct gw_cli *cli, gw_err *err)
{
    if (strcmp(cli->arguments[0], RESERVED_NAME) == 0) {
        return gw_fail(err, GW_E_CONFIG, "a model cannot be called '%s': GET /models/%s is something else",
                       RESERVED_NAME, RESERVED_NAME);
    }
    return gw_cli_change_run(cli, create, NULL, err);
}

// ---- register -------------------------------------------------------------------------------------------------------

struct registration {
    const char *path;
    bool is_file;
    char *features; // the names' text, cut
    const char **names;
    size_t name_count;
    struct gw_buf tags; // JSON, with a NUL
};

// Cuts `text` at commas and white space.
static gw_status cut_names(struct registration *registration, gw_err *err)
{
    static const char separators[] = ", \t\r\n";
    char *rest = NULL;
    registration->names = gw_mem_calloc(GW_BUNDLE_FEATURES_MAX, sizeof *registration->names);
    if (registration->names == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for feature names");
    }
    for (char *name = strtok_r(registration->features, separators, &rest); name != NULL;
         name = strtok_r(NULL, separators, &rest)) {
        if (registration->name_count == GW_BUNDLE_FEATURES_MAX) {
            return gw_fail(err, GW_E_CONFIG, "more than %d feature names", GW_BUNDLE_FEATURES_MAX);
        }
        registration->names[registration->name_count++] = name;
    }
    return registration->name_count > 0 ? GW_OK : gw_fail(err, GW_E_CONFIG, "no feature name is given");
}

static gw_status take_features(const struct gw_cli *cli, struct registration *registration, gw_err *err)
{
    const char *list = gw_cli_value(cli, "--features");
    const char *file = gw_cli_value(cli, "--features-file");
    size_t size = 0;
    if (list == NULL && file == NULL) {
        return GW_OK;
    }
    if (list != NULL && file != NULL) {
        return gw_fail(err, GW_E_CONFIG, "--features and --features-file say the same: give one");
    }
    if (file != NULL) {
        GW_TRY(gw_file_read(file, FEATURES_FILE_BYTES_MAX, &registration->features, &size, err));
    } else {
        registration->features = gw_mem_strdup(list);
    }
    if (registration->features == NULL) {
        return gw_fail(err, GW_E_MEMORY, "no memory for feature names");
    }
    return cut_names(registration, err);
}

static gw_status take_tags(const struct gw_cli *cli, struct registration *registration, gw_err *err)
{
    struct gw_json_writer writer;
    size_t cursor = 0;
    gw_json_writer_init(&writer, &registration->tags);
    gw_json_object_begin(&writer);
    for (const char *tag; (tag = gw_cli_next_value(cli, "--tag", &cursor)) != NULL;) {
        char key[TAG_NAME_BYTES];
        const char *equals = strchr(tag, '=');
        size_t length = equals != NULL ? (size_t)(equals - tag) : 0;
        snprintf(key, sizeof key, "%.*s", (int)GW_MIN(length, sizeof key), tag);
        if (length >= sizeof key || !gw_route_name_is_valid(key, sizeof key) || strlen(equals) > TAG_BYTES_MAX) {
            return gw_fail(err, GW_E_CONFIG,
                           "--tag '%.60s', expected KEY=VALUE, the key of at most %d of A-Z a-z 0-9 . _ -", tag,
                           TAG_NAME_BYTES - 1);
        }
        for (size_t i = 0; i + 1 < cli->repeat_count && cli->repeats[i].value != tag; i++) {
            if (strncmp(cli->repeats[i].value, tag, length + 1) == 0) {
                return gw_fail(err, GW_E_CONFIG, "--tag '%s' twice", key);
            }
        }
        gw_json_write_key(&writer, key);
        gw_json_write_text(&writer, equals + 1);
    }
    gw_json_object_end(&writer);
    GW_TRY(gw_json_writer_finish(&writer, err));
    return gw_buf_append(&registration->tags, "", 1) == GW_OK ? GW_OK : gw_fail(err, GW_E_MEMORY, "no memory for tags");
}

static gw_status take_registration(const struct gw_cli *cli, struct registration *registration, gw_err *err)
{
    static const char *const of_files[] = {"--features", "--features-file", "--head"};
    struct stat info;
    registration->path = cli->arguments[1];
    if (stat(registration->path, &info) != 0) {
        return gw_fail(err, GW_E_NOT_FOUND, "model '%s': %s", registration->path, strerror(errno));
    }
    registration->is_file = !S_ISDIR(info.st_mode);
    for (size_t i = 0; !registration->is_file && i < GW_COUNT_OF(of_files); i++) {
        if (gw_cli_value(cli, of_files[i]) != NULL) {
            return gw_fail(err, GW_E_CONFIG, "%s is about a bare file; '%s' is a directory, which says it itself",
                           of_files[i], registration->path);
        }
    }
    GW_TRY(take_features(cli, registration, err));
    return take_tags(cli, registration, err);
}

static gw_status register_directory(struct gw_cli_change *change, const char *directory,
                                    struct gw_registry_outcome *ret_outcome, gw_err *err)
{
    const struct registration *registration = change->detail;
    struct gw_runtime runtime;
    atomic_bool stop = false;
    GW_TRY(gw_runtime_init(&runtime, change->cli->config, GW_RUNTIME_FEATURES, &stop, err));
    const struct gw_registry_register request = {.model = change->model,
                                                 .directory = directory,
                                                 .description = text_of(change->cli, "--description"),
                                                 .tags_json = (const char *)registration->tags.data,
                                                 .features = runtime.features};
    gw_status status = gw_registry_register(change->registry.handle, &request, &change->meta, ret_outcome, err);
    gw_runtime_deinit(&runtime);
    return status;
}

static gw_status register_version(struct gw_cli_change *change, struct gw_registry_outcome *ret_outcome, gw_err *err)
{
    const struct registration *registration = change->detail;
    const char *head = gw_cli_value(change->cli, "--head");
    struct gw_api_scratch scratch = {.lock = -1};
    char path[GW_API_SCRATCH_BYTES + 16];
    if (!registration->is_file) {
        return register_directory(change, registration->path, ret_outcome, err);
    }
    const struct gw_bundle_import import = {.file = registration->path,
                                            .model_name = change->model,
                                            .head_name = head != NULL ? head : DEFAULT_HEAD,
                                            .weight = 1,
                                            .feature_names = registration->names,
                                            .feature_count = registration->name_count};
    GW_TRY(make_scratch(change->cli, &scratch, path, err));
    gw_status status = gw_bundle_from_file(&import, path, NULL, err);
    if (status == GW_OK) {
        status = register_directory(change, path, ret_outcome, err);
    }
    gw_api_scratch_remove(&scratch);
    return status;
}

gw_status gw_cli_models_register(struct gw_cli *cli, gw_err *err)
{
    struct registration registration = {0};
    gw_status status = take_registration(cli, &registration, err);
    if (status == GW_OK) {
        status = gw_cli_change_run(cli, register_version, &registration, err);
    }
    gw_buf_deinit(&registration.tags);
    gw_mem_free(registration.names);
    gw_mem_free(registration.features);
    return status;
}
