/* SPDX-License-Identifier: MIT */
#include "inquiry.h"

#include <string.h>

#include "base/mem.h"

struct qms_inquiry {
    struct qms_list node;
    struct qms_inquiries *all;
    struct qms_question *question;
    struct qms_list waits;
    qms_time timeout;
    uint8_t key[QMS_ANSWER_KEY_LEN];
};

void qms_inquiries_init(struct qms_inquiries *i)
{
    *i = (struct qms_inquiries){.asker = NULL};
    qms_list_init(&i->under_way);
}

static void inquiry_free(struct qms_inquiry *q)
{
    qms_list_remove(&q->node);
    qms_free(q);
}

static void leave(struct qms_wait *w)
{
    w->inquiry->all->waits--;
    w->inquiry = NULL;
    qms_list_remove(&w->node);
}

static void on_end(void *arg, enum qms_ask_end end, int status,
                   const struct qms_answer_header *headers, size_t count)
{
    struct qms_inquiry *q = arg;
    struct qms_answer answer;
    struct qms_list *node;

    qms_answer_read(&answer, end == QMS_ASK_ANSWERED ? status : 0, headers, count);
    while ((node = qms_list_first(&q->waits)) != NULL) {
        struct qms_wait *w = QMS_CONTAINER(node, struct qms_wait, node);
        leave(w);
        w->answer = answer;
        w->timeout = end == QMS_ASK_TIMEOUT;
        w->on_answer(w);
    }
    inquiry_free(q);
}

/* Servers with other patience have a question of their own. */
static struct qms_inquiry *find(const struct qms_inquiries *i,
                                const struct qms_inquiry_text *text)
{
    const struct qms_list *node;

    QMS_LIST_FOREACH(node, &i->under_way) {
        struct qms_inquiry *q = QMS_CONTAINER(node, struct qms_inquiry, node);
        if (q->timeout == text->timeout && memcmp(q->key, text->key, QMS_ANSWER_KEY_LEN) == 0) {
            return q;
        }
    }
    return NULL;
}

static struct qms_inquiry *inquiry_new(struct qms_inquiries *i,
                                       const struct qms_inquiry_text *text, qms_time now)
{
    struct qms_inquiry *q = i->asker != NULL ? qms_calloc(1, sizeof(*q)) : NULL;

    if (q == NULL) {
        return NULL;
    }
    qms_list_init(&q->node);
    qms_list_init(&q->waits);
    q->all = i;
    q->timeout = text->timeout;
    memcpy(q->key, text->key, sizeof(q->key));
    q->question = qms_ask(i->asker, text->target, text->headers, text->count, text->timeout,
                          now, on_end, q);
    if (q->question == NULL) {
        qms_free(q);
        return NULL;
    }
    qms_list_append(&i->under_way, &q->node);
    return q;
}

bool qms_wait_begin(struct qms_inquiries *i, struct qms_wait *w,
                    const struct qms_inquiry_text *text, qms_time now)
{
    struct qms_inquiry *q = i->waits < QMS_WAITS_MAX ? find(i, text) : NULL;

    if (i->waits < QMS_WAITS_MAX && q == NULL) {
        q = inquiry_new(i, text, now);
    }
    if (q == NULL) {
        return false;
    }
    w->inquiry = q;
    qms_list_init(&w->node);
    qms_list_append(&q->waits, &w->node);
    i->waits++;
    return true;
}

void qms_wait_end(struct qms_wait *w)
{
    struct qms_inquiry *q = w->inquiry;

    if (q == NULL) {
        return;
    }
    leave(w);
    if (qms_list_first(&q->waits) == NULL) {
        qms_question_cancel(q->question);
        inquiry_free(q);
    }
}
