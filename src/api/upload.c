// SPDX-License-Identifier: MIT
// POST /models/:id/versions. The body lies in a file without a name when the request gets here (http/spool.h). A
// compute thread makes a bundle of it in a scratch directory, and the registry checks and stores that.
#include "api/upload.h"

#include "api/models.h"
#include "api/scratch.h"
#include "api/tar.h"
#include "base/check.h"
#include "base/mem.h"
#include "model/bundle_import.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define FEATURES_BYTES_MAX (64u * 1024)
#define TAGS_BYTES_MAX     (16u * 1024)

// ---------------------------------------------------------------- kinds

static bool media_type_is(const char *content_type, const char *type)
{
    size_t length = strlen(type);
    return strncasecmp(content_type, type, length) == 0 &&
           (content_type[length] == '\0' || content_type[length] == ';' || content_type[length] == ' ');
}

const char *gw_api_upload_kind(const char *content_type, const char *content_encoding, bool *ret_is_archive)
{
    static const char *const bare[] = {"application/octet-stream", "application/json", "text/plain"};
    if (content_encoding != NULL && strcasecmp(content_encoding, "identity") != 0) {
        return "the body comes as it is, without Content-Encoding";
    }
    if (content_type != NULL && media_type_is(content_type, "application/x-tar")) {
        *ret_is_archive = true;
        return NULL;
    }
    for (size_t i = 0; content_type != NULL && i < GW_COUNT_OF(bare); i++) {
        if (media_type_is(content_type, bare[i])) {
            *ret_is_archive = false;
            return NULL;
        }
    }
    return "Content-Type is application/x-tar for a bundle, application/octet-stream, application/json or text/plain "
           "for "
           "a model file";
}

// ---------------------------------------------------------------- from the head

// Copies a query argument of less than `size` bytes; "" when there is none.
static bool copy_query(struct gw_api_exchange *exchange, const char *name, char *to, size_t size)
{
    const char *text = gw_http_request_query(exchange->request, name);
    size_t length = text != NULL ? strlen(text) : 0;
    if (length >= size) {
        return false;
    }
    memcpy(to, text != NULL ? text : "", length + 1);
    return true;
}

static bool take_arguments(struct gw_api_exchange *exchange, struct gw_api_models_input *input)
{
    struct gw_api_upload *upload = &input->upload;
    const char *features = gw_http_request_query(exchange->request, "features");
    const char *tags = gw_http_request_query(exchange->request, "tags");
    features = features != NULL ? features : gw_http_request_header(exchange->request, "Godwit-Features");
    if (!copy_query(exchange, "head", upload->head, sizeof upload->head) ||
        !copy_query(exchange, "description", upload->description, sizeof upload->description) ||
        !copy_query(exchange, "reason", upload->reason, sizeof upload->reason) ||
        (features != NULL && strlen(features) > FEATURES_BYTES_MAX) ||
        (tags != NULL && strlen(tags) > TAGS_BYTES_MAX)) {
        gw_api_models_refuse(exchange, input, "head, description, reason, features or tags is too long");
        return false;
    }
    if (!upload->is_archive && upload->head[0] == '\0') {
        gw_api_models_refuse(exchange, input, "a model file needs ?head=NAME, the name of its head");
        return false;
    }
    upload->features = features != NULL ? gw_mem_strdup(features) : NULL;
    upload->tags = tags != NULL ? gw_mem_strdup(tags) : NULL;
    if ((features != NULL && upload->features == NULL) || (tags != NULL && upload->tags == NULL)) {
        gw_api_models_input_free(input);
        gw_api_reply_problem(exchange, GW_API_PROBLEM_INTERNAL, NULL, "no memory for the request");
        return false;
    }
    return true;
}

// ---------------------------------------------------------------- to a bundle

// Cuts "a,b,c" in place. The array is the work's arena's.
static gw_status split_features(struct gw_api_models_work *work, char *text, const char ***ret_names, size_t *ret_count)
{
    size_t count = 0;
    if (text == NULL) {
        return GW_OK;
    }
    const char **names = gw_arena_array(&work->arena, GW_BUNDLE_FEATURES_MAX, sizeof *names);
    if (names == NULL) {
        return gw_fail(&work->err, GW_E_MEMORY, "no memory for the feature names");
    }
    for (char *rest = text; rest != NULL;) {
        char *name = strsep(&rest, ",");
        if (name[0] == '\0' || count == GW_BUNDLE_FEATURES_MAX) {
            return gw_fail(&work->err, GW_E_INVALID, "'features' takes 1 to %d names between commas",
                           GW_BUNDLE_FEATURES_MAX);
        }
        names[count++] = name;
    }
    *ret_names = names;
    *ret_count = count;
    return GW_OK;
}

static gw_status unpack(struct gw_api_models_work *work, int fd, const char *directory)
{
    if (mkdir(directory, 0700) != 0) {
        return gw_fail(&work->err, GW_E_IO, "no directory for the bundle: %s", strerror(errno));
    }
    return gw_api_tar_unpack(fd, directory, &work->err);
}

static gw_status import(struct gw_api_models_work *work, int fd, uint64_t size, const char *directory)
{
    struct gw_api_upload *upload = &work->input->upload;
    const char **names = NULL;
    size_t name_count = 0;
    GW_TRY(split_features(work, upload->features, &names, &name_count));
    void *content = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (content == MAP_FAILED) {
        return gw_fail(&work->err, GW_E_IO, "the upload cannot be read: %s", strerror(errno));
    }
    const struct gw_bundle_import request = {
        .content = gw_slice_make(content, (size_t)size),
        .model_name = work->input->model,
        .head_name = upload->head,
        .weight = 1,
        .feature_names = names,
        .feature_count = name_count,
    };
    gw_status status = gw_bundle_from_file(&request, directory, NULL, &work->err);
    munmap(content, (size_t)size);
    return status;
}

static gw_status make_bundle(struct gw_api_models_work *work, const char *directory)
{
    uint64_t size = 0;
    int fd = gw_http_request_file(work->call->exchange.request, &size);
    if (fd < 0 || size == 0) {
        return gw_fail(&work->err, GW_E_MALFORMED, "the body is empty");
    }
    return work->input->upload.is_archive ? unpack(work, fd, directory) : import(work, fd, size, directory);
}

static gw_status take_in(struct gw_api_models_work *work, const char *directory,
                         const struct gw_registry_change *change, struct gw_registry_outcome *outcome)
{
    GW_TRY(make_bundle(work, directory));
    const struct gw_registry_register request = {
        .model = work->input->model,
        .directory = directory,
        .description = work->input->upload.description,
        .tags_json = work->input->upload.tags,
        .features = work->call->exchange.api->options.features,
    };
    return gw_registry_register(work->registry, &request, change, outcome, &work->err);
}

static gw_status do_register(struct gw_api_models_work *work)
{
    struct gw_api_change_body body = {0};
    struct gw_registry_change change;
    struct gw_registry_outcome outcome = {0};
    struct gw_registry_model model = {0};
    struct gw_api_scratch scratch = {.lock = -1};
    char directory[GW_API_SCRATCH_BYTES + 16];

    GW_TRY(gw_api_models_look(work, &model));
    snprintf(body.reason, sizeof body.reason, "%s", work->input->upload.reason);
    GW_TRY(gw_api_models_condition(work, &body, &change));
    GW_TRY(gw_api_scratch_make(work->call->exchange.api->options.model_directory, &scratch, &work->err));
    snprintf(directory, sizeof directory, "%s/bundle", scratch.path);
    gw_status status = take_in(work, directory, &change, &outcome);
    gw_api_scratch_hide(&scratch, &work->err);
    gw_api_scratch_remove(&scratch);
    if (status == GW_E_MISMATCH || status == GW_E_NOT_FOUND) { // model and schema were looked at: it is the bundle
        return gw_api_models_problem(work, GW_API_PROBLEM_INVALID_REQUEST, "", work->err.message);
    }
    GW_TRY(status);
    work->status = 201;
    snprintf(work->location, sizeof work->location, "/models/%s/%d", work->input->model, outcome.version);
    gw_api_models_write_outcome(work, &outcome);
    return GW_OK;
}

void gw_api_handle_model_register(struct gw_api_exchange *exchange)
{
    struct gw_api_models_input *input = gw_api_models_input_new(exchange, true, do_register);
    if (input == NULL) {
        return;
    }
    const char *detail =
        gw_api_upload_kind(gw_http_request_header(exchange->request, "Content-Type"),
                           gw_http_request_header(exchange->request, "Content-Encoding"), &input->upload.is_archive);
    GW_ASSERT(detail == NULL); // else it was not admitted
    if (take_arguments(exchange, input) && gw_api_models_take_change(exchange, input)) {
        gw_api_models_submit(exchange, input);
    }
}
