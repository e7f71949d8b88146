/* form.h - one field of a body in application/x-www-form-urlencoded (WHATWG URL, section 5). Pure. */
#ifndef INGRESS_FORM_H
#define INGRESS_FORM_H

#include "common/arena.h"

/* The first field of that name, decoded into `arena`. False when there is none, or a percent sign starts no byte. */
SL_MUST_CHECK bool form_get(struct sl_str body, const char *name, struct sl_arena *arena, struct sl_str *ret_value);

#endif
