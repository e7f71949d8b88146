/* mailbox.h - the one place where two threads meet: a bounded queue of pointers, many senders, one receiver.
 *
 * Sending transfers ownership of the item; a full mailbox refuses (the sender keeps it and pushes back). The receiver
 * is woken through `wake`, called by the sender's thread after each send into an empty mailbox: it must be cheap and
 * thread-safe.
 */
#ifndef SL_MAILBOX_H
#define SL_MAILBOX_H

#include "common/base.h"

struct sl_mailbox;

SL_MUST_CHECK struct sl_mailbox *sl_mailbox_create(size_t capacity, void (*wake)(void *arg), void *wake_arg);
void sl_mailbox_destroy(struct sl_mailbox *mailbox); /* must be empty; accepts NULL */

SL_MUST_CHECK bool sl_mailbox_send(struct sl_mailbox *mailbox, void *item); /* any thread; false: full */
void *sl_mailbox_receive(struct sl_mailbox *mailbox);                       /* receiver's thread; NULL: empty */
size_t sl_mailbox_depth(struct sl_mailbox *mailbox);

#endif
