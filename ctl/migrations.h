/* migrations.h - the numbered SQL files of worker/migrations, embedded by the build, in their order. */
#ifndef CTL_MIGRATIONS_H
#define CTL_MIGRATIONS_H

#include <stddef.h>

struct migration {
    const char *name; /* "0001_init.sql" */
    const char *sql;  /* NUL-terminated */
    size_t bytes;
};

extern const struct migration MIGRATIONS[];
extern const size_t MIGRATION_COUNT;

#endif
