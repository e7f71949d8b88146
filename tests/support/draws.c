/* draws.c - see draws.h. */
#include "tests/support/draws.h"

struct draws draws_of_seed(uint64_t seed)
{
    return (struct draws){.random = seed * 2654435761U + 88172645463325252U};
}

struct draws draws_of_bytes(const uint8_t *bytes, size_t count)
{
    struct draws draws = draws_of_seed(1);
    draws.bytes = bytes;
    draws.bytes_left = count;
    return draws;
}

static unsigned next_byte(struct draws *draws)
{
    draws->bytes_left--;
    return *draws->bytes++;
}

unsigned draws_below(struct draws *draws, unsigned below)
{
    if (draws->bytes_left >= 2 && below > 256) {
        unsigned high = next_byte(draws);
        return (high << 8 | next_byte(draws)) % below;
    }
    if (draws->bytes_left > 0)
        return next_byte(draws) % below;
    draws->random ^= draws->random << 13;
    draws->random ^= draws->random >> 7;
    draws->random ^= draws->random << 17;
    return (unsigned)((draws->random >> 11) % below);
}

bool draws_chance(struct draws *draws, unsigned percent)
{
    return draws_below(draws, 100) < percent;
}
