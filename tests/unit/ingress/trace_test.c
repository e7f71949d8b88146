/* trace_test.c - of ingress/trace.c. Examples: W3C Trace Context, section 3.2. */
#include "tests/unit/web/check.h"

#include "ingress/trace.h"

#define GOOD "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static const struct {
    const char *given, *kept; /* NULL: a new one */
} ROWS[] = {
    {GOOD, GOOD},
    {"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", GOOD},
    {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", NULL},
    {"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", NULL},
    {"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", NULL},
    {"00-00000000000000000000000000000000-b7ad6b7169203331-01", NULL},
    {"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", NULL},
    {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", NULL},
    {"", NULL},
};

static void well_formed_ones_are_kept_others_replaced(void **state)
{
    (void)state;
    const uint8_t random[TRACE_RANDOM_BYTES] = {0xab};
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        char text[TRACE_PARENT_BYTES];
        char again[TRACE_PARENT_BYTES];
        trace_parent(sl_str_of(ROWS[i].given), random, text);
        if (ROWS[i].kept)
            assert_string_equal(text, ROWS[i].kept);
        else
            assert_true(strncmp(text, "00-ab0000", 9) == 0 && strlen(text) == TRACE_PARENT_BYTES - 1);
        /* What comes out is always well formed itself. */
        trace_parent(sl_str_of(text), (const uint8_t[TRACE_RANDOM_BYTES]){0xcd}, again);
        assert_string_equal(again, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(well_formed_ones_are_kept_others_replaced)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
