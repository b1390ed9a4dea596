/* SPDX-License-Identifier: MIT */
/* A word is the instant at which all is forgotten, and in its low byte how many failures there
 * were: 256 ns of an instant matter to nobody. */
#include "core/shared/backoff.h"

#include <netinet/in.h>
#include <string.h>

#include "base/words.h"

/* After so long without a failure. */
#define FORGET_AFTER (600 * QMS_SECOND)
#define COUNT_MAX    255u

static uint64_t load(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static uint64_t *word_of(void *memory, size_t size, const void *address, qms_time now)
{
    const struct sockaddr *sa = address;
    struct qms_bytes key = {(const uint8_t *)"", 1};
    struct qms_words words;

    if (sa->sa_family == AF_INET) {
        key = (struct qms_bytes){
            (const uint8_t *)&((const struct sockaddr_in *)address)->sin_addr, 4};
    } else if (sa->sa_family == AF_INET6) {
        const struct in6_addr *in6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
        key = IN6_IS_ADDR_V4MAPPED(in6) ? (struct qms_bytes){in6->s6_addr + 12, 4}
                                        : (struct qms_bytes){in6->s6_addr, 8};
    }
    return qms_words_open(&words, memory, size) ? qms_words_at(&words, 0, key, now, NULL)
                                                : NULL;
}

static qms_time wait_for(const struct qms_backoff_rule *rule, unsigned failures)
{
    unsigned over =
        failures > rule->free_failures ? failures - (unsigned)rule->free_failures : 0;
    qms_time wait = over == 0 ? 0 : over > 20 ? rule->max_for : QMS_SECOND << (over - 1);

    return wait < rule->max_for ? wait : rule->max_for;
}

qms_time qms_backoff_until(void *memory, size_t size, const struct qms_backoff_rule *rule,
                           const void *address, qms_time now)
{
    uint64_t *word = rule->free_failures != 0 && address != NULL
                         ? word_of(memory, size, address, now)
                         : NULL;
    uint64_t said = word != NULL ? load(word) : 0;

    if (said <= now) {
        return 0;
    }
    qms_time until = (said & ~(uint64_t)COUNT_MAX) - FORGET_AFTER - (rule->max_for) +
                     wait_for(rule, said & COUNT_MAX);
    return until > now ? until : 0;
}

void qms_backoff_note(void *memory, size_t size, const struct qms_backoff_rule *rule,
                      const void *address, qms_time now)
{
    uint64_t *word = rule->free_failures != 0 && address != NULL
                         ? word_of(memory, size, address, now)
                         : NULL;
    uint64_t old, next;

    if (word == NULL) {
        return;
    }
    do {
        old = load(word);
        uint64_t count = old > now ? old & COUNT_MAX : 0;
        count += count < COUNT_MAX;
        next = ((now + FORGET_AFTER + rule->max_for) & ~(uint64_t)COUNT_MAX) | count;
    } while (!__atomic_compare_exchange_n(word, &old, next, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
}
