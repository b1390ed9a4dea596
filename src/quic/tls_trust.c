/* SPDX-License-Identifier: MIT */
/* A chain is verified anew whenever it is asked for, against the lists of that moment: what TLS
 * has found in a handshake says nothing about a resumed session or a reload. */
#include "quic/tls_trust.h"

#include <gnutls/x509.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "quic/tls_int.h"

/* Until when a list tells whom its authority has revoked; GnuTLS does not ask. */
struct dated {
    gnutls_datum_t issuer; /* DER; owned */
    int64_t from, until;   /* wall seconds */
};

struct qms_tls_trust {
    unsigned refs;
    gnutls_x509_trust_list_t list;
    struct dated *dated;
    unsigned dated_count;
};

static gnutls_datum_t datum(struct qms_bytes b)
{
    return (gnutls_datum_t){(uint8_t *)(uintptr_t)b.data, (unsigned)b.len};
}

/* Dates are looked at when a chain is verified: a broker with a list that is past its date
 * starts, and lets nobody in. */
static bool signed_by(gnutls_x509_crl_t crl, const gnutls_x509_crt_t *cas, unsigned count)
{
    const unsigned dates = GNUTLS_CERT_INVALID | GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED |
                           GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE;
    unsigned status = 0;

    return gnutls_x509_crl_verify(crl, cas, count, 0, &status) == 0 && (status & ~dates) == 0;
}

static void free_crls(gnutls_x509_crl_t *crls, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        gnutls_x509_crl_deinit(crls[i]);
    }
    gnutls_free(crls);
}

static bool note_dates(struct qms_tls_trust *t, const gnutls_x509_crl_t *crls, unsigned count,
                       char *error)
{
    int rv = 0;

    t->dated = qms_calloc(count + 1, sizeof(*t->dated));
    for (unsigned i = 0; t->dated != NULL && rv == 0 && i < count; i++) {
        time_t until = gnutls_x509_crl_get_next_update(crls[i]);
        struct dated *d = &t->dated[i];
        d->from = (int64_t)gnutls_x509_crl_get_this_update(crls[i]);
        d->until = until == (time_t)-1 ? INT64_MAX : (int64_t)until;
        rv = gnutls_x509_crl_get_raw_issuer_dn(crls[i], &d->issuer);
        t->dated_count += rv == 0;
    }
    if (t->dated == NULL || rv != 0) {
        qms_tls_error(error, "the revocation lists cannot be used: %s",
                      rv != 0 ? gnutls_strerror(rv) : "out of memory");
    }
    return t->dated != NULL && rv == 0;
}

static bool add_revoked(struct qms_tls_trust *t, const gnutls_x509_crt_t *cas,
                        unsigned ca_count, struct qms_bytes pem, char *error)
{
    gnutls_datum_t text = datum(pem);
    gnutls_x509_crl_t *crls = NULL;
    unsigned count = 0;
    int rv = gnutls_x509_crl_list_import2(&crls, &count, &text, GNUTLS_X509_FMT_PEM, 0);

    if (rv < 0) {
        qms_tls_error(error, "no revocation list can be read: %s; a PEM file is wanted",
                      gnutls_strerror(rv));
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        if (!signed_by(crls[i], cas, ca_count)) {
            qms_tls_error(
                error, "revocation list %u is not signed by an authority of client_ca", i + 1);
            free_crls(crls, count);
            return false;
        }
    }
    if (!note_dates(t, crls, count, error)) {
        free_crls(crls, count);
        return false;
    }
    /* The list owns them from now on. */
    rv = gnutls_x509_trust_list_add_crls(t->list, crls, count, 0, 0);
    gnutls_free(crls);
    if (rv != (int)count) {
        qms_tls_error(error, "the revocation lists cannot be used: %s", gnutls_strerror(rv));
    }
    return rv == (int)count;
}

static bool fill(struct qms_tls_trust *t, struct qms_bytes ca, struct qms_bytes crl,
                 char *error)
{
    gnutls_datum_t text = datum(ca);
    gnutls_x509_crt_t *cas = NULL;
    unsigned count = 0;
    int rv = gnutls_x509_crt_list_import2(&cas, &count, &text, GNUTLS_X509_FMT_PEM, 0);

    if (rv < 0) {
        qms_tls_error(error,
                      "no authority can be read: %s; a PEM file of certificates is wanted",
                      gnutls_strerror(rv));
        return false;
    }
    bool good = crl.len == 0 || add_revoked(t, cas, count, crl, error);
    rv = gnutls_x509_trust_list_add_cas(t->list, cas, count, GNUTLS_TL_NO_DUPLICATES);
    gnutls_free(cas);
    if (good && rv <= 0) {
        qms_tls_error(error, "the authorities cannot be used: %s", gnutls_strerror(rv));
    }
    return good && rv > 0;
}

struct qms_tls_trust *qms_tls_trust_new(struct qms_bytes ca, struct qms_bytes crl, char *error)
{
    struct qms_tls_trust *t = qms_calloc(1, sizeof(*t));

    if (t == NULL || gnutls_x509_trust_list_init(&t->list, 0) != 0) {
        qms_tls_error(error, "out of memory");
        qms_free(t);
        return NULL;
    }
    t->refs = 1;
    if (!fill(t, ca, crl, error)) {
        qms_tls_trust_unref(t);
        return NULL;
    }
    return t;
}

struct qms_tls_trust *qms_tls_trust_ref(struct qms_tls_trust *t)
{
    t->refs++;
    return t;
}

void qms_tls_trust_unref(struct qms_tls_trust *t)
{
    if (t != NULL && --t->refs == 0) {
        for (unsigned i = 0; i < t->dated_count; i++) {
            gnutls_free(t->dated[i].issuer.data);
        }
        qms_free(t->dated);
        gnutls_x509_trust_list_deinit(t->list, 1);
        qms_free(t);
    }
}

/* The first that holds is what matters most to who has to mend it. */
static const char *label_of(unsigned status)
{
    static const struct {
        unsigned bit;
        const char *label;
    } labels[] = {
        {GNUTLS_CERT_REVOKED, "revoked_certificate"},
        {GNUTLS_CERT_EXPIRED, "expired_certificate"},
        {GNUTLS_CERT_NOT_ACTIVATED, "early_certificate"},
    };

    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        if ((status & labels[i].bit) != 0) {
            return labels[i].label;
        }
    }
    return status != 0 ? "untrusted_certificate" : NULL;
}

/* Whether a certificate's authority has lists, none of which is in force. */
static bool outdated(const struct qms_tls_trust *t, gnutls_x509_crt_t crt, int64_t now)
{
    gnutls_datum_t issuer = {.data = NULL};
    bool any = false, current = false;

    if (t->dated_count == 0 || gnutls_x509_crt_get_raw_issuer_dn(crt, &issuer) != 0) {
        return t->dated_count > 0;
    }
    for (unsigned i = 0; i < t->dated_count; i++) {
        const struct dated *d = &t->dated[i];
        if (d->issuer.size == issuer.size &&
            memcmp(d->issuer.data, issuer.data, issuer.size) == 0) {
            any = true;
            current = current || (d->from <= now && now <= d->until);
        }
    }
    gnutls_free(issuer.data);
    return any && !current;
}

static const char *verify(const struct qms_tls_trust *t, gnutls_x509_crt_t *crts,
                          unsigned count)
{
    gnutls_typed_vdata_st purpose = {
        .type = GNUTLS_DT_KEY_PURPOSE_OID,
        .data = (uint8_t *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT,
    };
    unsigned status = 0;
    const char *fault;

    if (gnutls_x509_trust_list_verify_crt2(t->list, crts, count, &purpose, 1, 0, &status,
                                           NULL) != 0) {
        return "bad_certificate";
    }
    fault = label_of(status);
    for (unsigned i = 0; fault == NULL && i < count; i++) {
        fault = outdated(t, crts[i], qms_clock_wall()) ? "outdated_crl" : NULL;
    }
    return fault;
}

const char *qms_tls_trust_verify(const struct qms_tls_trust *t, const struct qms_bytes *chain,
                                 size_t count)
{
    gnutls_x509_crt_t crts[QMS_TLS_CHAIN_MAX], sorted[QMS_TLS_CHAIN_MAX];
    const char *fault = count > 0 ? NULL : "no_certificate";
    unsigned have = 0;

    while (fault == NULL && have < count && have < QMS_TLS_CHAIN_MAX) {
        gnutls_datum_t der = datum(chain[have]);
        if (gnutls_x509_crt_init(&crts[have]) != 0) {
            fault = "bad_certificate";
        } else if (gnutls_x509_crt_import(crts[have++], &der, GNUTLS_X509_FMT_DER) != 0) {
            fault = "bad_certificate";
        }
    }
    /* The library sorts the array it is given. */
    for (unsigned i = 0; i < have; i++) {
        sorted[i] = crts[i];
    }
    fault = fault == NULL ? verify(t, sorted, have) : fault;
    for (unsigned i = 0; i < have; i++) {
        gnutls_x509_crt_deinit(crts[i]);
    }
    return fault;
}
