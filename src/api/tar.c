// SPDX-License-Identifier: MIT
#include "api/tar.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 512, PIECE = 16 * BLOCK, PATH_BYTES = 513, PAX_BYTES_MAX = 16 * 1024, ENTRIES_MAX = 256 };

// A header block, as it lies in the archive.
struct header {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6];
    char version[2];
    char user[32];
    char group[32];
    char major[8];
    char minor[8];
    char prefix[155];
    char pad[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a tar header is one block");

struct reader {
    gw_api_tar_source source;
    void *source_context;
    const struct gw_api_tar_sink *sink;
    gw_err *err;
    uint8_t piece[PIECE];

    // Of the next entry, by a pax header in front of it.
    char pax_path[PATH_BYTES];
    uint64_t pax_size;
    bool has_pax_path;
    bool has_pax_size;

    char folder[PATH_BYTES]; // of all files; "" at the top
    char names[GW_API_TAR_FILES_MAX][GW_API_TAR_NAME_BYTES];
    uint32_t name_count;
};

// ---------------------------------------------------------------- blocks

// Reads exactly `size` bytes, or none at the end of the source.
static gw_status read_whole(struct reader *reader, uint8_t *to, size_t size, bool *ret_end)
{
    size_t have = 0;
    while (have < size) {
        size_t count = 0;
        GW_TRY(reader->source(reader->source_context, to + have, size - have, &count, reader->err));
        if (count == 0) {
            break;
        }
        have += count;
    }
    *ret_end = have == 0;
    return have == 0 || have == size ? GW_OK : gw_fail(reader->err, GW_E_MALFORMED, "the archive is cut off");
}

static gw_status read_blocks(struct reader *reader, uint8_t *to, size_t size)
{
    bool end = false;
    GW_TRY(read_whole(reader, to, size, &end));
    return end ? gw_fail(reader->err, GW_E_MALFORMED, "the archive is cut off") : GW_OK;
}

// Passes an entry's content, and the padding behind it, over; to the sink when `keep`.
static gw_status read_content(struct reader *reader, uint64_t size, bool keep)
{
    while (size > 0) {
        size_t count = (size_t)GW_MIN(size, (uint64_t)PIECE);
        GW_TRY(read_blocks(reader, reader->piece, (count + BLOCK - 1) / BLOCK * BLOCK));
        if (keep) {
            GW_TRY(reader->sink->piece(reader->sink->context, gw_slice_make(reader->piece, count), reader->err));
        }
        size -= count;
    }
    return GW_OK;
}

// ---------------------------------------------------------------- numbers

// Octal digits between blanks and NULs. Base-256 sizes (GNU, beyond 8 GiB) are no size that could be taken here.
static bool parse_octal(const char *field, size_t size, uint64_t *ret_value)
{
    size_t at = 0;
    uint64_t value = 0;
    while (at < size && field[at] == ' ') {
        at++;
    }
    size_t start = at;
    while (at < size && field[at] >= '0' && field[at] <= '7') {
        value = value * 8 + (uint64_t)(field[at] - '0'); // 12 digits at most: 36 bits
        at++;
    }
    bool digits = at > start;
    while (at < size && (field[at] == ' ' || field[at] == '\0')) {
        at++;
    }
    *ret_value = value;
    return digits && at == size;
}

static bool parse_decimal(struct gw_slice text, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (text.size == 0 || text.size > 18) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    *ret_value = value;
    return true;
}

static bool checksum_is_right(const struct header *header)
{
    const uint8_t *bytes = (const uint8_t *)header;
    uint64_t sum = 0;
    uint64_t said = 0;
    for (size_t i = 0; i < BLOCK; i++) {
        bool own = i >= offsetof(struct header, checksum) && i < offsetof(struct header, type);
        sum += own ? ' ' : bytes[i];
    }
    return parse_octal(header->checksum, sizeof header->checksum, &said) && said == sum;
}

// ---------------------------------------------------------------- pax

// One record: "LENGTH KEY=VALUE\n", where LENGTH counts all of it.
static gw_status read_pax_record(struct reader *reader, struct gw_slice *text)
{
    const uint8_t *blank = memchr(text->data, ' ', GW_MIN(text->size, (size_t)8));
    uint64_t length = 0;
    size_t digits = blank != NULL ? (size_t)(blank - text->data) : 0;
    if (blank == NULL || !parse_decimal(gw_slice_make(text->data, digits), &length) || length > text->size ||
        length < digits + 3 || text->data[length - 1] != '\n') {
        return gw_fail(reader->err, GW_E_MALFORMED, "a pax header of the archive is damaged");
    }
    struct gw_slice record = gw_slice_make(blank + 1, (size_t)length - digits - 2);
    *text = gw_slice_make(text->data + length, text->size - (size_t)length);

    const uint8_t *equals = memchr(record.data, '=', record.size);
    if (equals == NULL) {
        return gw_fail(reader->err, GW_E_MALFORMED, "a pax header of the archive is damaged");
    }
    struct gw_slice key = gw_slice_make(record.data, (size_t)(equals - record.data));
    struct gw_slice value = gw_slice_make(equals + 1, record.size - key.size - 1);
    if (gw_slice_is(key, "path")) {
        if (value.size >= PATH_BYTES || memchr(value.data, '\0', value.size) != NULL) {
            return gw_fail(reader->err, GW_E_INVALID, "a file's path in the archive is too long");
        }
        memcpy(reader->pax_path, value.data, value.size);
        reader->pax_path[value.size] = '\0';
        reader->has_pax_path = true;
    } else if (gw_slice_is(key, "size")) {
        if (!parse_decimal(value, &reader->pax_size)) {
            return gw_fail(reader->err, GW_E_MALFORMED, "a pax header of the archive is damaged");
        }
        reader->has_pax_size = true;
    } else if (key.size >= 11 && memcmp(key.data, "GNU.sparse.", 11) == 0) {
        return gw_fail(reader->err, GW_E_INVALID, "the archive has a sparse file; only plain ones are taken");
    }
    return GW_OK;
}

static gw_status read_pax(struct reader *reader, uint64_t size)
{
    uint8_t bytes[PAX_BYTES_MAX];
    if (size > sizeof bytes) {
        return gw_fail(reader->err, GW_E_TOO_LARGE, "a pax header of the archive has more than %d bytes",
                       PAX_BYTES_MAX);
    }
    if (size > 0) {
        GW_TRY(read_blocks(reader, bytes, ((size_t)size + BLOCK - 1) / BLOCK * BLOCK));
    }
    struct gw_slice text = gw_slice_make(bytes, (size_t)size);
    while (text.size > 0) {
        GW_TRY(read_pax_record(reader, &text));
    }
    return GW_OK;
}

// ---------------------------------------------------------------- names

static void entry_path(const struct reader *reader, const struct header *header, char ret_path[PATH_BYTES])
{
    bool ustar = memcmp(header->magic, "ustar\0", 6) == 0;
    if (reader->has_pax_path) {
        memcpy(ret_path, reader->pax_path, PATH_BYTES);
    } else if (ustar && header->prefix[0] != '\0') {
        snprintf(ret_path, PATH_BYTES, "%.*s/%.*s", (int)sizeof header->prefix, header->prefix,
                 (int)sizeof header->name, header->name);
    } else {
        snprintf(ret_path, PATH_BYTES, "%.*s", (int)sizeof header->name, header->name);
    }
}

static bool segment_is_plain(const char *segment, size_t length)
{
    if (length == 0 || (length == 1 && segment[0] == '.') || (length == 2 && memcmp(segment, "..", 2) == 0)) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)segment[i] < 0x20 || segment[i] == 0x7f || segment[i] == '\\') {
            return false;
        }
    }
    return true;
}

// Splits "[./][FOLDER/]NAME" and compares the folder with that of the files before.
static gw_status take_name(struct reader *reader, const char *path, const char **ret_name)
{
    while (strncmp(path, "./", 2) == 0) {
        path += 2;
    }
    const char *slash = strchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    size_t folder_length = slash != NULL ? (size_t)(slash - path) : 0;
    if ((slash != NULL && !segment_is_plain(path, folder_length)) || strchr(name, '/') != NULL ||
        !segment_is_plain(name, strlen(name))) {
        return gw_fail(reader->err, GW_E_INVALID, "'%.100s' in the archive is no name of a file in at most one folder",
                       path);
    }
    if (strlen(name) >= GW_API_TAR_NAME_BYTES) {
        return gw_fail(reader->err, GW_E_INVALID, "'%.40s...' in the archive has more than %d bytes", name,
                       GW_API_TAR_NAME_BYTES - 1);
    }
    if (reader->name_count == 0) {
        snprintf(reader->folder, sizeof reader->folder, "%.*s", (int)folder_length, path);
    } else if (strlen(reader->folder) != folder_length || memcmp(reader->folder, path, folder_length) != 0) {
        return gw_fail(reader->err, GW_E_INVALID, "'%.100s' lies in another folder than the files before it", path);
    }
    for (uint32_t i = 0; i < reader->name_count; i++) {
        if (strcmp(reader->names[i], name) == 0) {
            return gw_fail(reader->err, GW_E_INVALID, "'%.100s' is twice in the archive", name);
        }
    }
    if (reader->name_count == GW_API_TAR_FILES_MAX) {
        return gw_fail(reader->err, GW_E_TOO_LARGE, "the archive has more than %d files", GW_API_TAR_FILES_MAX);
    }
    char *kept = reader->names[reader->name_count++];
    snprintf(kept, GW_API_TAR_NAME_BYTES, "%s", name);
    *ret_name = kept;
    return GW_OK;
}

// ---------------------------------------------------------------- entries

static gw_status read_file(struct reader *reader, const char *path, uint64_t size)
{
    const char *name = NULL;
    GW_TRY(take_name(reader, path, &name));
    GW_TRY(reader->sink->begin(reader->sink->context, name, size, reader->err));
    return read_content(reader, size, true);
}

static gw_status read_entry(struct reader *reader, const struct header *header)
{
    uint64_t size = 0;
    char path[PATH_BYTES];
    if (memcmp(header->magic, "ustar", 5) != 0 || !checksum_is_right(header)) {
        return gw_fail(reader->err, GW_E_MALFORMED, "not a tar archive, or a damaged one");
    }
    entry_path(reader, header, path);
    if (!parse_octal(header->size, sizeof header->size, &size)) {
        return gw_fail(reader->err, GW_E_MALFORMED, "the size of '%.100s' in the archive is no octal number", path);
    }
    switch (header->type) {
    case 'x':
        return read_pax(reader, size);
    case 'g': // global: comments of tools such as git
        return size <= PAX_BYTES_MAX ? read_content(reader, size, false)
                                     : gw_fail(reader->err, GW_E_TOO_LARGE,
                                               "a pax header of the archive has more than %d bytes", PAX_BYTES_MAX);
    default:
        break;
    }
    size = reader->has_pax_size ? reader->pax_size : size;
    reader->has_pax_path = false;
    reader->has_pax_size = false;
    switch (header->type) {
    case '0':
    case '\0':
        return read_file(reader, path, size);
    case '5':
        return size == 0 ? GW_OK
                         : gw_fail(reader->err, GW_E_MALFORMED, "the folder '%.100s' in the archive has a size", path);
    default:
        return gw_fail(reader->err, GW_E_INVALID, "'%.100s' in the archive is no plain file", path);
    }
}

static bool block_is_zero(const uint8_t *block)
{
    for (size_t i = 0; i < BLOCK; i++) {
        if (block[i] != 0) {
            return false;
        }
    }
    return true;
}

gw_status gw_api_tar_read(gw_api_tar_source source, void *source_context, const struct gw_api_tar_sink *sink,
                          gw_err *err)
{
    struct reader reader = {.source = source, .source_context = source_context, .sink = sink, .err = err};
    for (uint32_t entry = 0; entry < ENTRIES_MAX; entry++) {
        struct header header;
        bool end = false;
        GW_TRY(read_whole(&reader, (uint8_t *)&header, BLOCK, &end));
        if (end) {
            return gw_fail(err, GW_E_MALFORMED, entry == 0 ? "the archive is empty" : "the archive is cut off");
        }
        if (!block_is_zero((const uint8_t *)&header)) {
            GW_TRY(read_entry(&reader, &header));
            continue;
        }
        return reader.name_count > 0 ? GW_OK : gw_fail(err, GW_E_MALFORMED, "the archive has no files");
    }
    return gw_fail(err, GW_E_TOO_LARGE, "the archive has more than %d entries", ENTRIES_MAX);
}

// ---------------------------------------------------------------- unpacking

struct unpacking {
    int from;
    uint64_t at;
    int directory;
    int to; // -1: none yet
};

static gw_status io_failed(gw_err *err, const char *what)
{
    return gw_fail(err, GW_E_IO, "the archive cannot be unpacked: %s: %s", what, strerror(errno));
}

static gw_status source_file(void *context, uint8_t *to, size_t size, size_t *ret_size, gw_err *err)
{
    struct unpacking *unpacking = context;
    ssize_t count = 0;
    do {
        count = pread(unpacking->from, to, size, (off_t)unpacking->at);
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        return io_failed(err, "read");
    }
    unpacking->at += (uint64_t)count;
    *ret_size = (size_t)count;
    return GW_OK;
}

static gw_status sink_begin(void *context, const char *name, uint64_t size, gw_err *err)
{
    struct unpacking *unpacking = context;
    (void)size;
    if (unpacking->to >= 0) {
        close(unpacking->to);
    }
    unpacking->to = openat(unpacking->directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return unpacking->to >= 0 ? GW_OK : io_failed(err, "create");
}

static gw_status sink_piece(void *context, struct gw_slice bytes, gw_err *err)
{
    struct unpacking *unpacking = context;
    while (bytes.size > 0) {
        ssize_t count = write(unpacking->to, bytes.data, bytes.size);
        if (count < 0 && errno != EINTR) {
            return io_failed(err, "write");
        }
        size_t written = count > 0 ? (size_t)count : 0;
        bytes = gw_slice_make(bytes.data + written, bytes.size - written);
    }
    return GW_OK;
}

gw_status gw_api_tar_unpack(int fd, const char *directory, gw_err *err)
{
    struct unpacking unpacking = {.from = fd, .to = -1};
    unpacking.directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (unpacking.directory < 0) {
        return io_failed(err, "open");
    }
    const struct gw_api_tar_sink sink = {.context = &unpacking, .begin = sink_begin, .piece = sink_piece};
    gw_status status = gw_api_tar_read(source_file, &unpacking, &sink, err);
    if (unpacking.to >= 0) {
        close(unpacking.to);
    }
    close(unpacking.directory);
    return status;
}
