/* SPDX-License-Identifier: MIT */
/* Where `listen --out` puts a stream: a file of its own that bears the name NAME.partial until
 * the stream's end has arrived, so that half a file never looks like a whole one. */
#ifndef QMS_TOOLS_CMD_LISTEN_H
#define QMS_TOOLS_CMD_LISTEN_H

#include <quicms/types.h>

#define STORE_NAME_MAX 256

struct store {
    int dir, fd;
    char partial[STORE_NAME_MAX + 32];
    char name[STORE_NAME_MAX + 32]; /* after store_end */
    char base[STORE_NAME_MAX];
};

/** "SOURCE-HANDLE" with everything but letters, digits, '.', '_' and '-' as '_', never hidden.
 */
void store_file_name(struct qms_bytes source, uint64_t handle, char out[STORE_NAME_MAX]);
/** Creates the .partial file in the folder; an existing one is never written over.  False:
 * errno. */
bool store_begin(struct store *s, int dir, struct qms_bytes source, uint64_t handle);
/** All bytes or false (errno). */
bool store_write(struct store *s, struct qms_bytes bytes);
/** The stream is whole: gives the file its name.  False: errno; the file stays partial. */
bool store_end(struct store *s);
/** Closes what store_end did not; the file stays partial.  Harmless on a closed store. */
void store_abandon(struct store *s);

#endif
