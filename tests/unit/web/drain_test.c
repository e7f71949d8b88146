/* drain_test.c - of web/drain.c: every step, by table. */
#include "tests/unit/web/check.h"

#include "web/drain.h"

static const struct {
    enum drain_step step;
    bool is_asked;
    int64_t requests, spent_ms;
    enum drain_step next;
} ROWS[] = {
    {DRAIN_SERVING, false, 5, 999999, DRAIN_SERVING},
    {DRAIN_SERVING, true, 5, 0, DRAIN_REFUSING},
    {DRAIN_REFUSING, true, 1, 0, DRAIN_REFUSING},
    {DRAIN_REFUSING, true, 0, 0, DRAIN_DONE},
    {DRAIN_REFUSING, true, 1, 999, DRAIN_REFUSING},
    {DRAIN_REFUSING, true, 1, 1000, DRAIN_FORCING},
    {DRAIN_FORCING, true, 1, 0, DRAIN_FORCING},
    {DRAIN_FORCING, true, 0, 0, DRAIN_DONE},
    {DRAIN_FORCING, true, 1, DRAIN_FORCING_MS, DRAIN_DONE},
    {DRAIN_DONE, true, 9, 0, DRAIN_DONE},
};

static void each_step_is_left_when_it_is_over(void **state)
{
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        struct drain drain = {.step = ROWS[i].step, .since_ms = 5000};
        if (drain_next(&drain, ROWS[i].is_asked, ROWS[i].requests, 1000, 5000 + ROWS[i].spent_ms) != ROWS[i].next)
            fail_msg("row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_step_is_left_when_it_is_over)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
