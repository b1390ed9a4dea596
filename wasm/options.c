/* SPDX-License-Identifier: MIT */
/* Options that only a browser has. */
#include <quicms/client_web.h>
#include <string.h>

#include "base/mem.h"
#include "client/settings.h"

qms_err qms_options_set_web_certificate_url(struct qms_options *o, const char *url)
{
    char *copy = NULL;

    if (url != NULL && url[0] != '\0') {
        copy = qms_strndup(url, strlen(url));
        if (copy == NULL) {
            return QMS_E_NOMEM;
        }
    }
    qms_free(o->web_certificate_url);
    o->web_certificate_url = copy;
    return QMS_OK;
}

void qms_options_set_web_views(struct qms_options *o, bool views)
{
    o->web_views = views;
}
