/* SPDX-License-Identifier: MIT */
/* Slots: the places of worker processes.  A slot is one number for all that belongs to a
 * worker: its sockets, the connection ids that it issues, its rings, its page of counters.
 *
 * The workers that serve at a time are a generation.  The next one (another count, another
 * binary) gets slots of its own, while those before end what they have begun; a slot is used
 * again once its worker has left.  So all that is addressed by slot spans generations. */
#ifndef QMS_CORE_SHARED_SLOTS_H
#define QMS_CORE_SHARED_SLOTS_H

/** Slots that there can be: of all generations that live at a time. */
#define QMS_SLOTS_MAX 128

#endif
