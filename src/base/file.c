// SPDX-License-Identifier: MIT
// gw_file_read of ini.h.
#include "base/ini.h"

#include "base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static gw_status read_all(int fd, const char *path, size_t limit_bytes, struct gw_buf *content, gw_err *err)
{
    struct stat info;
    size_t expected = 0;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0) {
        expected = (size_t)info.st_size; // a hint only: the file may change, and pipes have none
    }
    for (;;) {
        if (content->size > limit_bytes || expected > limit_bytes) {
            return gw_fail(err, GW_E_TOO_LARGE, "cannot read '%s': over %zu bytes", path, limit_bytes);
        }
        size_t want = expected > content->size ? expected - content->size : 4096;
        if (gw_buf_reserve(content, want + 1) != GW_OK) {
            return gw_fail(err, GW_E_MEMORY, "cannot read '%s': no memory", path);
        }
        ssize_t got = read(fd, content->data + content->size, want);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return gw_fail(err, GW_E_IO, "cannot read '%s': %s", path, strerror(errno));
        }
        if (got == 0) {
            content->data[content->size] = '\0';
            return GW_OK;
        }
        content->size += (size_t)got;
    }
}

gw_status gw_file_read(const char *path, size_t limit_bytes, char **ret_text, size_t *ret_size, gw_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return gw_fail(err, errno == ENOENT ? GW_E_NOT_FOUND : GW_E_IO, "cannot open '%s': %s", path, strerror(errno));
    }
    struct gw_buf content = {0};
    gw_status status = read_all(fd, path, limit_bytes, &content, err);
    close(fd);
    if (status != GW_OK) {
        gw_buf_deinit(&content);
        return status;
    }
    *ret_text = (char *)content.data;
    *ret_size = content.size;
    return GW_OK;
}
