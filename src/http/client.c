// SPDX-License-Identifier: MIT
#include "http/client.h"

#include "base/mem.h"

#include <curl/curl.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define URLS_MAX       16
#define TIMEOUT_MS     10000u
#define BODY_BYTES_MAX ((size_t)4 << 20)
#define USER_AGENT     "godwit/" GW_VERSION

struct gw_http_client {
    CURL *curl;
    char *urls[URLS_MAX];
    size_t url_count;
    size_t url_index; // the one that answered last
    char *user;
    char *password;
    char *token;
    char *ca_file;
    uint32_t timeout_ms;
    size_t body_bytes_max;
    struct gw_buf *body; // of the call under way
    bool too_large;
    char reason[CURL_ERROR_SIZE];
};

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_status;

static void global_init(void)
{
    global_status = curl_global_init(CURL_GLOBAL_DEFAULT);
}

// ---- life cycle
// --------------------------------------------------------------------------------------------------------

static bool is_http(const char *url)
{
    return strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
}

static gw_status add_url(struct gw_http_client *client, const char *from, size_t length, gw_err *err)
{
    while (length > 0 && (from[0] == ' ' || from[0] == '\n')) {
        from++;
        length--;
    }
    while (length > 0 && (from[length - 1] == ' ' || from[length - 1] == '\n' || from[length - 1] == '/')) {
        length--;
    }
    if (client->url_count == URLS_MAX) {
        return gw_fail(err, GW_E_CONFIG, "more than %d URLs", URLS_MAX);
    }
    char *url = gw_mem_strndup(from, length);
    if (url == NULL) {
        return gw_fail(err, GW_E_MEMORY, "http client: out of memory");
    }
    client->urls[client->url_count++] = url;
    return is_http(url) ? GW_OK : gw_fail(err, GW_E_CONFIG, "'%s' is not an http or https URL", url);
}

static gw_status add_urls(struct gw_http_client *client, const char *list, gw_err *err)
{
    for (const char *at = list; at != NULL;) {
        const char *comma = strchr(at, ',');
        GW_TRY(add_url(client, at, comma != NULL ? (size_t)(comma - at) : strlen(at), err));
        at = comma != NULL ? comma + 1 : NULL;
    }
    return GW_OK;
}

static char *copy_unless_empty(const char *text, bool *failed)
{
    if (text == NULL || text[0] == '\0') {
        return NULL;
    }
    char *copy = gw_mem_strdup(text);
    *failed = *failed || copy == NULL;
    return copy;
}

gw_status gw_http_client_new(const struct gw_http_client_options *options, struct gw_http_client **ret_client,
                             gw_err *err)
{
    pthread_once(&global_once, global_init);
    if (global_status != CURLE_OK) {
        return gw_fail(err, GW_E_INTERNAL, "libcurl: %s", curl_easy_strerror(global_status));
    }
    struct gw_http_client *client = gw_mem_calloc(1, sizeof *client);
    if (client == NULL) {
        return gw_fail(err, GW_E_MEMORY, "http client: out of memory");
    }
    gw_status status = add_urls(client, options->urls, err);
    bool failed = false;
    client->user = copy_unless_empty(options->user, &failed);
    client->password = copy_unless_empty(options->password, &failed);
    client->token = copy_unless_empty(options->token, &failed);
    client->ca_file = copy_unless_empty(options->ca_file, &failed);
    client->timeout_ms = options->timeout_ms != 0 ? options->timeout_ms : TIMEOUT_MS;
    client->body_bytes_max = options->body_bytes_max != 0 ? options->body_bytes_max : BODY_BYTES_MAX;
    client->curl = curl_easy_init();
    if (status == GW_OK && (failed || client->curl == NULL)) {
        status = gw_fail(err, GW_E_MEMORY, "http client: out of memory");
    }
    if (status != GW_OK) {
        gw_http_client_free(client);
        return status;
    }
    *ret_client = client;
    return GW_OK;
}

void gw_http_client_free(struct gw_http_client *client)
{
    if (client == NULL) {
        return;
    }
    if (client->curl != NULL) {
        curl_easy_cleanup(client->curl);
    }
    for (size_t i = 0; i < client->url_count; i++) {
        gw_mem_free(client->urls[i]);
    }
    if (client->password != NULL) {
        explicit_bzero(client->password, strlen(client->password));
    }
    if (client->token != NULL) {
        explicit_bzero(client->token, strlen(client->token));
    }
    gw_mem_free(client->user);
    gw_mem_free(client->password);
    gw_mem_free(client->token);
    gw_mem_free(client->ca_file);
    gw_mem_free(client);
}

// ---- one try
// -----------------------------------------------------------------------------------------------------------

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct gw_http_client *client = context;
    size_t bytes = size * count; // libcurl: size is 1
    if (bytes > client->body_bytes_max - client->body->size) {
        client->too_large = true;
        return 0;
    }
    return gw_buf_append(client->body, data, bytes) == GW_OK ? bytes : 0;
}

static bool is_loopback(const char *url)
{
    const char *host = strstr(url, "://") + 3;
    return strncmp(host, "127.", 4) == 0 || strncmp(host, "localhost", 9) == 0 || strncmp(host, "[::1]", 5) == 0;
}

static void prepare(struct gw_http_client *client, const struct gw_http_call *call, const char *base, const char *url,
                    struct curl_slist *headers)
{
    CURL *curl = client->curl;
    curl_easy_reset(curl); // keeps connections
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, USER_AGENT);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L); // other threads live here
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)client->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, client);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->reason);
    if (is_loopback(base)) {
        curl_easy_setopt(curl, CURLOPT_PROXY, ""); // a proxy from the environment knows nothing of our loopback
    }
    if (call->body.data != NULL) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)call->body.data);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.size);
    }
    if (client->user != NULL) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(curl, CURLOPT_USERNAME, client->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, client->password != NULL ? client->password : "");
    } else if (client->token != NULL) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, client->token);
    }
    if (client->ca_file != NULL) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, client->ca_file);
    }
}

static gw_status try_url(struct gw_http_client *client, const struct gw_http_call *call, const char *base,
                         int *ret_code, gw_err *err)
{
    struct gw_buf url = {0};
    struct gw_buf type = {0};
    gw_status status = gw_buf_append_format(&url, "%s%s", base, call->path);
    if (status == GW_OK) {
        status = gw_buf_append_format(&type, "Content-Type: %s",
                                      call->content_type != NULL ? call->content_type : "application/json");
    }
    struct curl_slist *headers = NULL;
    if (status == GW_OK && gw_buf_append(&url, "", 1) == GW_OK && gw_buf_append(&type, "", 1) == GW_OK) {
        headers = curl_slist_append(NULL, call->body.data != NULL ? (const char *)type.data : "Content-Type:");
    }
    if (headers == NULL) {
        gw_buf_deinit(&url);
        gw_buf_deinit(&type);
        return gw_fail(err, GW_E_MEMORY, "%s %s: out of memory", call->method, call->path);
    }

    gw_buf_clear(client->body);
    client->too_large = false;
    client->reason[0] = '\0';
    prepare(client, call, base, (const char *)url.data, headers);
    CURLcode code = curl_easy_perform(client->curl);
    long http_code = 0;
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &http_code);
    curl_slist_free_all(headers);
    gw_buf_deinit(&url);
    gw_buf_deinit(&type);

    if (client->too_large) {
        return gw_fail(err, GW_E_TOO_LARGE, "%s %s%s: answer of more than %zu bytes", call->method, base, call->path,
                       client->body_bytes_max);
    }
    if (code != CURLE_OK) {
        return gw_fail(err, code == CURLE_OPERATION_TIMEDOUT ? GW_E_TIMEOUT : GW_E_UNAVAILABLE, "%s %s%s: %s",
                       call->method, base, call->path,
                       client->reason[0] != '\0' ? client->reason : curl_easy_strerror(code));
    }
    if (http_code == 502 || http_code == 503 || http_code == 504) {
        return gw_fail(err, GW_E_UNAVAILABLE, "%s %s%s: HTTP %ld", call->method, base, call->path, http_code);
    }
    *ret_code = (int)http_code;
    return GW_OK;
}

gw_status gw_http_client_call(struct gw_http_client *client, const struct gw_http_call *call, struct gw_buf *body,
                              int *ret_code, gw_err *err)
{
    client->body = body;
    gw_status status = GW_E_UNAVAILABLE;
    for (size_t i = 0; i < client->url_count; i++) {
        size_t index = (client->url_index + i) % client->url_count;
        status = try_url(client, call, client->urls[index], ret_code, err);
        if (gw_status_class(status) != GW_CLASS_RETRY || status == GW_E_MEMORY) {
            client->url_index = index;
            break;
        }
    }
    client->body = NULL;
    return status;
}

gw_status gw_http_escape(const char *text, struct gw_buf *out)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        bool plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') ||
                     strchr("-._~", *at) != NULL;
        GW_TRY(plain ? gw_buf_append(out, at, 1) : gw_buf_append_format(out, "%%%02X", *at));
    }
    return GW_OK;
}
