/* SPDX-License-Identifier: MIT */
/* The error table of <quicms/error.h> as text. */
#include <quicms/error.h>

struct row {
    unsigned code;
    enum qms_err_who who;
    const char *name, *text;
};

static const struct row rows[] = {
#define ROW(code, num, name, text, who) {(num), QMS_WHO_##who, (name), (text)},
    QMS_ERR_TABLE(ROW)
#undef ROW
#define ROW(code, num, name, text, who)                                                        \
    {(num) == 0 ? (unsigned)QMS_E_WIRE : QMS_E_WIRE + (num), QMS_WHO_##who, (name), (text)},
        QMS_CODE_TABLE(ROW)
#undef ROW
};

static const struct row *find(unsigned code)
{
    static const struct row application = {0, QMS_WHO_PEER, "application",
                                           "The application at the other side ended it."};
    static const struct row unknown = {0, QMS_WHO_NOBODY, "unknown", "Unknown error."};

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].code == code) {
            return &rows[i];
        }
    }
    return code >= QMS_E_WIRE_APPLICATION && code <= QMS_E_WIRE_MAX ? &application : &unknown;
}

qms_err qms_err_from_code(uint64_t code)
{
    if (code > QMS_CODE_MAX) {
        code = QMS_CODE_CANCELLED;
    }
    return code == 0 ? QMS_OK : (qms_err)((uint64_t)QMS_E_WIRE + code);
}

const char *qms_err_name(qms_err err)
{
    return find((unsigned)err)->name;
}

const char *qms_strerror(qms_err err)
{
    return find((unsigned)err)->text;
}

bool qms_err_by_peer(qms_err err)
{
    return qms_err_who(err) == QMS_WHO_PEER;
}

enum qms_err_who qms_err_who(qms_err err)
{
    return find((unsigned)err)->who;
}

const char *qms_err_who_name(qms_err err)
{
    static const char *const names[] = {
        [QMS_WHO_NOBODY] = "nobody",     [QMS_WHO_PROGRAM] = "program",
        [QMS_WHO_OPERATOR] = "operator", [QMS_WHO_SYSTEM] = "system",
        [QMS_WHO_NETWORK] = "network",   [QMS_WHO_PEER] = "peer",
    };

    return names[qms_err_who(err)];
}

const char *qms_code_name(uint64_t code)
{
    return find(code > QMS_CODE_MAX ? (unsigned)QMS_CODE_MAX + 1 + QMS_E_WIRE
                                    : (unsigned)(QMS_E_WIRE + code))
        ->name;
}
