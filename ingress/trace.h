/* trace.h - the traceparent field of W3C Trace Context: the caller's, or one of our own. Pure. */
#ifndef INGRESS_TRACE_H
#define INGRESS_TRACE_H

#include "common/str.h"

#define TRACE_PARENT_BYTES 56 /* "00-<32 hex>-<16 hex>-<2 hex>" and NUL */
#define TRACE_RANDOM_BYTES 24

/* Copies `given` where it is well formed (section 3.2.2), else makes a new, unsampled one from `random`. */
void trace_parent(struct sl_str given, const uint8_t random[TRACE_RANDOM_BYTES], char ret_text[TRACE_PARENT_BYTES]);

#endif
