/* config_file.h - the syntax of an INI file: its sections and entries with their lines; what they mean is config.c's.
 */
#ifndef SL_CONFIG_FILE_H
#define SL_CONFIG_FILE_H

#include "common/buf.h"
#include "common/config_problems.h"

#define CONFIG_FILE_BYTES_MAX  ((size_t)1024 * 1024)
#define CONFIG_VALUE_BYTES_MAX ((size_t)64 * 1024) /* of a file that NAME_FILE names, and of any value */
#define CONFIG_NAME_BYTES_MAX  48                  /* of a section or a key; inih's own limit is 49 */

struct config_entry {
    char *key;
    char *value;
    int line;
};

struct config_section {
    char *name;
    int line;
    struct config_entry *entries;
    size_t entry_count, entry_cap;
};

/* One file; a section that occurs twice stands here twice. Plain value, zeroed by the caller before the reading. */
struct config_file {
    char *path;
    struct config_section *sections;
    size_t section_count, section_cap;
};

/* Reads `path` into `file`; problems of syntax and of reading go to `problems`, what is sound is kept. */
void config_file_read(struct config_file *file, const char *path, struct config_problems *problems);
void config_file_deinit(struct config_file *file); /* wipes the values */

/* A whole file, appended to `out` as far as its maximum goes. False with a reason in words; nothing of the content is
 * in it. */
SL_MUST_CHECK bool config_file_slurp(const char *path, struct sl_buf *out, char ret_reason[128]);

#endif
