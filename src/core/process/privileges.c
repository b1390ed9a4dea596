/* SPDX-License-Identifier: MIT */
/* Groups first, then the group, then the user, then capabilities: each step needs the rights
 * that the next one takes. */
#include "core/process/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ids {
    uid_t uid;
    gid_t gid;
};

static const struct passwd *find_user(const struct qms_conf *conf)
{
    if (conf->user != NULL) {
        return getpwnam(conf->user);
    }
    const struct passwd *pw = getpwnam("quicms");
    return pw != NULL ? pw : getpwnam("nobody");
}

static qms_err find_ids(const struct qms_conf *conf, struct ids *out, struct qms_diag *diag)
{
    const struct passwd *pw = find_user(conf);

    if (pw == NULL) {
        qms_diag_error(diag, "There is no user \"%s\" for the workers; name one with \"user\".",
                       conf->user != NULL ? conf->user : "nobody");
        return QMS_E_CONFIG;
    }
    *out = (struct ids){pw->pw_uid, pw->pw_gid};
    if (out->uid == 0) {
        qms_diag_error(diag, "Workers must not run as root; name another \"user\".");
        return QMS_E_CONFIG;
    }
    if (conf->group != NULL) {
        const struct group *gr = getgrnam(conf->group);
        if (gr == NULL) {
            qms_diag_error(diag, "There is no group \"%s\" for the workers.", conf->group);
            return QMS_E_CONFIG;
        }
        out->gid = gr->gr_gid;
    }
    return QMS_OK;
}

qms_err qms_privileges_check(const struct qms_conf *conf, struct qms_diag *diag)
{
    struct ids ids;

    qms_diag_set_place(diag, conf->user_place);
    return geteuid() == 0 ? find_ids(conf, &ids, diag) : QMS_OK;
}

static qms_err become(const struct ids *ids, struct qms_diag *diag)
{
    if (setgroups(1, &ids->gid) != 0 || setresgid(ids->gid, ids->gid, ids->gid) != 0 ||
        setresuid(ids->uid, ids->uid, ids->uid) != 0) {
        qms_diag_error(diag, "Cannot become user %ld, group %ld: %s.", (long)ids->uid,
                       (long)ids->gid, strerror(errno));
        return QMS_E_IO;
    }
    return QMS_OK;
}

/* Capabilities that came with the file or the environment, as of an ordinary user. */
static qms_err drop_capabilities(struct qms_diag *diag)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capset, &head, none) != 0) {
        qms_diag_error(diag, "Cannot give capabilities up: %s.", strerror(errno));
        return QMS_E_IO;
    }
    return QMS_OK;
}

qms_err qms_privileges_drop(const struct qms_conf *conf, struct qms_diag *diag)
{
    struct rlimit none = {0};
    struct ids ids;
    qms_err err = QMS_OK;

    if (geteuid() == 0) {
        err = find_ids(conf, &ids, diag);
        err = err == QMS_OK ? become(&ids, diag) : err;
    }
    err = err == QMS_OK ? drop_capabilities(diag) : err;
    if (err != QMS_OK) {
        return err;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0) {
        qms_diag_error(diag, "Cannot give privileges up: %s.", strerror(errno));
        return QMS_E_IO;
    }
#ifndef __SANITIZE_ADDRESS__ /* its leak check traces the process from a helper */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
    return QMS_OK;
}

void qms_privileges_raise_files(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}
