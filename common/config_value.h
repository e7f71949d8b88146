/* config_value.h - what one value's text means: the environment, ${VAR}, and the types. Of config*.c only. */
#ifndef SL_CONFIG_VALUE_H
#define SL_CONFIG_VALUE_H

#include "common/buf.h"
#include "common/config_problems.h"

enum config_found { CONFIG_ABSENT = 0, CONFIG_FOUND, CONFIG_BAD };

/* The variable `name`, or the text of the file that `name`_FILE names, appended to `out`. ABSENT when neither is set,
 * or empty. BAD, with a problem, when both are set or the file can't be read. */
enum config_found config_value_from_environment(const char *name, struct sl_buf *out, struct config_problems *problems);

/* `text` with each ${VAR} replaced, appended to `out`. False, with the reason, when one is malformed or can't be read.
 */
SL_MUST_CHECK bool config_value_expand(struct sl_str text, struct sl_buf *out, struct config_problems *problems,
                                       char ret_reason[256]);

/* Reads `text` as the key's type says: the number (ms, bytes, 0 or 1; 0 for texts), and the text as it is to be read
 * back, borrowed from `text` or from the table. False with a reason in words: what it is not and what would be right;
 * never a secret. */
SL_MUST_CHECK bool config_value_parse(const struct sl_config_key *key, struct sl_str text, struct sl_str *ret_text,
                                      int64_t *ret_number, char ret_reason[256]);

#endif
