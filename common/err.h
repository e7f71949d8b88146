/* err.h - what went wrong, said once and acted on by class.
 *
 * A function that can fail is SL_MUST_CHECK, gives false and fills `struct sl_err`. Callers branch on the class, people
 * read the message: primary one factual line without function names, detail (what the system said), hint (what to do).
 */
#ifndef SL_ERR_H
#define SL_ERR_H

#include "common/base.h"

enum sl_err_class {
    SL_ERR_NONE = 0,
    SL_ERR_RETRY,     /* the same again, later, may work */
    SL_ERR_PERMANENT, /* the same again will fail the same way */
    SL_ERR_FATAL,     /* this handle or process can't go on */
    SL_ERR_CLASS_COUNT
};

struct sl_err {
    enum sl_err_class error_class;
    char code[24]; /* of the system that failed: SQLSTATE, librdkafka's or curl's name; may be empty */
    char message[256];
    char detail[512];
    char hint[256];
};

/* Fills `err` (which may be NULL) and always gives false, so that `return sl_err_set(…)` reads well. */
bool sl_err_set(struct sl_err *err, enum sl_err_class error_class, const char *format, ...) SL_PRINTF(3, 4);
void sl_err_detail(struct sl_err *err, const char *format, ...) SL_PRINTF(2, 3);
void sl_err_hint(struct sl_err *err, const char *format, ...) SL_PRINTF(2, 3);
void sl_err_code(struct sl_err *err, const char *code);
void sl_err_clear(struct sl_err *err);
const char *sl_err_class_name(enum sl_err_class error_class); /* "retry" … */

#endif
