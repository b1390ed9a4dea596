/* SPDX-License-Identifier: MIT */
/* The blocking layer in a page (Asyncify): ask() connects, asks the service echo, and returns
 * the error, with the answer in `answer`. */
#include <string.h>

#include <quicms/client_sync.h>

#define PATIENCE (5 * QMS_SECOND)

static qms_err exchange(struct qms_sync_connection *c, const char *text, char *answer)
{
    struct qms_bytes bytes = {(const uint8_t *)text, strlen(text)};
    struct qms_sync_stream *st = NULL;
    size_t len = 0;
    qms_err err = qms_sync_open(c, QMS_KIND_SERVICE, "echo", QMS_OPEN_BIDI, QMS_PRIORITY_NORMAL,
                                NULL, PATIENCE, &st);

    if (err == QMS_OK) {
        err = qms_sync_write_all(st, bytes, PATIENCE, NULL);
    }
    if (err == QMS_OK) {
        err = qms_sync_finish(st, PATIENCE);
    }
    if (err == QMS_OK) {
        err = qms_sync_read_exact(st, answer, bytes.len, PATIENCE, &len);
    }
    answer[len] = '\0';
    qms_sync_stream_free(st);
    return err;
}

/* `answer` has room for `text`. */
__attribute__((used, visibility("default"))) int
ask(const char *url, const char *pin, const char *token, const char *text, char *answer)
{
    struct qms_options *o = qms_options_new();
    struct qms_sync_connection *c = NULL;
    qms_err err = qms_options_add_certificate_pin(o, pin);

    if (err == QMS_OK) {
        err = qms_options_set_token(o, token);
    }
    if (err == QMS_OK) {
        err = qms_sync_connect(o, url, PATIENCE, &c);
    }
    if (err == QMS_OK) {
        err = exchange(c, text, answer);
    }
    qms_sync_connection_free(c);
    qms_options_free(o);
    return (int)err;
}
