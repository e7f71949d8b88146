/* memory.h - the Nth allocation fails: for tests of what comes of it. A program that is linked with it
 * needs the linker's --wrap=malloc,--wrap=calloc,--wrap=realloc, which lead all our code here; OpenSSL comes along, and
 * so does jansson, whose memory is ours.
 */
#ifndef SUPPORT_MEMORY_H
#define SUPPORT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* For main, before anything else. */
void memory_init(void);

/* Runs `body(arg)` in child after child, the first allocation failing in the first one, the second in the second, and
 * so on until one comes through without a failure. Each child must end by an abort that says why on stderr, or give
 * true: the right result all the same. Anything else fails the test. Gives how many allocations were failed. */
size_t memory_fail_each(bool (*body)(void *arg), void *arg);

#endif
