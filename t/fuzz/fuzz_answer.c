/* SPDX-License-Identifier: MIT */
/* Answers of the service that auth_request asks: "STATUS\nName: value\n...", as an HTTP library
 * would hand them over. */
#include <string.h>

#include "fuzz.h"
#include "modules/auth_request/answer.h"

static size_t split(char *text, struct qms_answer_header *headers, size_t max)
{
    size_t count = 0;

    for (char *line = strchr(text, '\n'); line != NULL && count < max;) {
        char *next = strchr(++line, '\n'), *colon;
        if (next != NULL) {
            *next = '\0';
        }
        if ((colon = strchr(line, ':')) != NULL) {
            *colon = '\0';
            headers[count++] =
                (struct qms_answer_header){line, colon + 1 + strspn(colon + 1, " ")};
        }
        line = next;
    }
    return count;
}

static void check_rate(const struct qms_limit_rate *r)
{
    MUST(r->per_second <= UINT64_C(1) << 40 && r->burst <= UINT32_MAX);
    MUST(r->burst == 0 || r->per_second > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qms_answer_header headers[QMS_ANSWER_HEADERS_MAX + 8];
    struct qms_answer a;
    char *text = malloc(size + 1);

    MUST(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    int status = atoi(text);
    size_t count = split(text, headers, sizeof(headers) / sizeof(headers[0]));
    qms_answer_read(&a, status, headers, count);
    MUST((a.kind == QMS_ANSWER_YES || a.kind == QMS_ANSWER_BAD) ==
         (status >= 200 && status <= 299));
    MUST(a.agent_len <= sizeof(a.agent) && strlen(a.scopes) < sizeof(a.scopes));
    MUST(a.kind == QMS_ANSWER_YES || (a.agent_len == 0 && a.scopes[0] == '\0'));
    MUST(a.scopes[0] != ' ' && strstr(a.scopes, "  ") == NULL);
    check_rate(&a.limits.streams);
    check_rate(&a.limits.bytes);
    check_rate(&a.limits.datagrams);
    free(text);
    return 0;
}
