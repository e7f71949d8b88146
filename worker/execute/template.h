/* template.h - text with placeholders, {{name}}, and what becomes of it with values.
 *
 * Pure. A value is one line: its control characters become blanks. In HTML it is escaped, so that it can only ever be
 * text or the value of a quoted attribute. A value that is missing is empty; a line of nothing but placeholders that
 * are all empty is left out.
 */
#ifndef EXECUTE_TEMPLATE_H
#define EXECUTE_TEMPLATE_H

#include "common/buf.h"
#include "common/err.h"
#include "worker/execute/args.h"

enum template_kind {
    TEMPLATE_SUBJECT = 0, /* one line, of a header */
    TEMPLATE_TEXT,
    TEMPLATE_HTML,
    TEMPLATE_KIND_COUNT
};

/* PERMANENT, with the line, for a placeholder that isn't closed or whose name is none of `names`; for a subject that is
 * empty or of several lines; for a text that is no UTF-8. */
SL_MUST_CHECK bool template_check(struct sl_str text, enum template_kind kind, const char *const *names,
                                  size_t name_count, struct sl_err *err);
/* Appends a checked text with the values of its placeholders; of a subject without the newline. False on overflow of
 * `out`. */
SL_MUST_CHECK bool template_render(struct sl_str text, enum template_kind kind, const struct args *values,
                                   struct sl_buf *out);

#endif
