/* base.h - attributes and assertions that every file of Sluice uses.
 *
 * Assertions state what the programmer guarantees and stay on in production: a process that finds itself wrong stops
 * before it writes. What comes from outside is checked with an error, never asserted.
 */
#ifndef SL_BASE_H
#define SL_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SL_MUST_CHECK                        __attribute__((warn_unused_result))
#define SL_PRINTF(format_index, first_index) __attribute__((format(printf, format_index, first_index)))
#define SL_NORETURN                          __attribute__((noreturn))
#define SL_UNUSED                            __attribute__((unused))

/* Runs `function(&variable)` when the variable leaves its scope; for handles of foreign libraries. */
#define SL_CLEANUP(function) __attribute__((cleanup(function)))

#define SL_ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* Stops the process with the place and the condition on stderr. Always compiled in. */
#define SL_ASSERT(condition) ((condition) ? (void)0 : sl_assert_failed(#condition, __FILE__, __LINE__))

SL_NORETURN void sl_assert_failed(const char *condition, const char *file, int line);

/* malloc and friends that abort when memory is truly out: workers are restartable and exactness lives in Postgres.
 * Growth that outside input can cause goes through sl_buf and sl_arena, whose limits are ordinary errors. */
SL_MUST_CHECK void *sl_malloc(size_t bytes);
SL_MUST_CHECK void *sl_calloc(size_t count, size_t bytes);
SL_MUST_CHECK void *sl_realloc(void *memory, size_t bytes);
SL_MUST_CHECK char *sl_strdup(const char *text);

#endif
