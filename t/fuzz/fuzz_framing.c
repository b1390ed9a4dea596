/* SPDX-License-Identifier: MIT */
/* Message boundaries of a FRAMED stream: however it is cut, they are where a walk over the
 * whole stream finds them.  The first byte of the input says how many of those behind it are
 * lengths of pieces, which are used in turn; the rest is the stream. */
#include "core/broker/framing.h"

#include <string.h>

#include "fuzz.h"

#define STEPS_MAX 16

/* A message by the definition: doc/wire.md section 3 and RFC 9000 section 16. */
struct message {
    size_t at;       /* where it begins */
    size_t head_len; /* bytes of its length */
    bool head;       /* all of them are there */
    uint64_t len;    /* of all of it, where `head` */
};

static struct message message_at(const uint8_t *data, size_t size, size_t at)
{
    struct message m = {.at = at, .head_len = (size_t)1 << (data[at] >> 6)};

    m.head = m.head_len <= size - at;
    for (size_t i = 0; m.head && i < m.head_len; i++) {
        m.len = m.len << 8 | (i == 0 ? data[at] & 0x3f : data[at + i]);
    }
    m.len += m.head ? m.head_len : 0;
    return m;
}

static bool ends_within(const struct message *m, size_t size)
{
    return m->head && m->len <= size - m->at;
}

/* Both walks, the parser's and that of the definition, in step. */
struct walk {
    struct qms_framing framing;
    const uint8_t *data;
    size_t size, at;
    bool inside;
    struct message message;
};

/* One range of the parser's. */
static void feed(struct walk *w, size_t len)
{
    size_t end = w->at + len;

    while (w->at < end) {
        struct qms_framing_part part =
            qms_framing_next(&w->framing, (struct qms_bytes){w->data + w->at, end - w->at});
        MUST(part.len > 0 && part.len <= end - w->at);
        MUST(part.begins == !w->inside);
        if (part.begins) {
            w->message = message_at(w->data, w->size, w->at);
            bool told = w->message.head_len <= end - w->at;
            MUST(part.length == (told ? w->message.len : 0));
        } else {
            MUST(part.length == 0);
        }
        w->at += part.len;
        MUST(part.ends == (w->message.head && w->at - w->message.at == w->message.len));
        MUST(part.ends || w->at == end); /* a part is as long as it can be */
        w->inside = !part.ends;
        MUST(qms_framing_between(&w->framing) == part.ends);
    }
}

static void run(const uint8_t *data, size_t size, const uint8_t *steps, size_t count)
{
    struct walk w = {.data = data, .size = size};

    for (size_t i = 0; w.at < size; i++) {
        size_t step = count > 0 ? steps[i % count] : size;
        step = step > 0 ? step : 1;
        feed(&w, step < size - w.at ? step : size - w.at);
    }
    MUST(!w.inside || !ends_within(&w.message, size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t one = 1;
    size_t count = size > 0 ? data[0] % (STEPS_MAX + 1) : 0;

    if (size < 1 + count) {
        return 0;
    }
    const uint8_t *stream = data + 1 + count;
    run(stream, size - 1 - count, data + 1, count);
    run(stream, size - 1 - count, &one, 1);
    run(stream, size - 1 - count, NULL, 0);
    return 0;
}
