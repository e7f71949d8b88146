/* draws.h - the choices that a random history is made of: drawn from a seed, or from a fuzzer's bytes while they last.
 *
 * The same seed, or the same bytes, give the same choices. Behind the last byte a fixed seed goes on, so that a history
 * can always be brought to its end.
 */
#ifndef SUPPORT_DRAWS_H
#define SUPPORT_DRAWS_H

#include "common/base.h"

struct draws {
    uint64_t random;
    const uint8_t *bytes; /* borrowed */
    size_t bytes_left;
};

struct draws draws_of_seed(uint64_t seed);
struct draws draws_of_bytes(const uint8_t *bytes, size_t count);

/* 0 to `below` - 1: of one byte for up to 256 choices, of two for more. */
unsigned draws_below(struct draws *draws, unsigned below);
bool draws_chance(struct draws *draws, unsigned percent);

#endif
