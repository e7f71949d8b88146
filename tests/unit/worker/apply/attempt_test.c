/* What a failed transaction means: whose fault it is decides between waiting, burying and letting go. */
#include "tests/unit/cmocka_all.h"
#include "worker/apply/attempt.h"

static void each_sqlstate_has_its_consequence(void **state)
{
    static const struct {
        const char *code;
        enum sl_err_class error_class;
        enum attempt_end end;
    } ROWS[] = {
        {"SL001", SL_ERR_PERMANENT, ATTEMPT_FENCED},    {"", SL_ERR_RETRY, ATTEMPT_RETRY}, /* connection lost */
        {"40001", SL_ERR_RETRY, ATTEMPT_RETRY},                                            /* serialisation */
        {"40P01", SL_ERR_RETRY, ATTEMPT_RETRY},                                            /* deadlock */
        {"53100", SL_ERR_RETRY, ATTEMPT_RETRY},                                            /* disk full */
        {"22001", SL_ERR_PERMANENT, ATTEMPT_PERMANENT},                                    /* a value too long */
        {"22021", SL_ERR_PERMANENT, ATTEMPT_PERMANENT},                                    /* no such character */
        {"23505", SL_ERR_PERMANENT, ATTEMPT_PERMANENT},                                    /* unique */
        {"23514", SL_ERR_PERMANENT, ATTEMPT_PERMANENT},                                    /* check */
        {"54000", SL_ERR_PERMANENT, ATTEMPT_PERMANENT},                                    /* an index row too large */
        {"42P01", SL_ERR_PERMANENT, ATTEMPT_RETRY}, /* no such table: not migrated */
        {"42501", SL_ERR_PERMANENT, ATTEMPT_RETRY}, /* no privilege */
        {"25006", SL_ERR_PERMANENT, ATTEMPT_RETRY}, /* read-only: a standby */
        {"XX001", SL_ERR_PERMANENT, ATTEMPT_RETRY}, /* corruption */
        {"28P01", SL_ERR_PERMANENT, ATTEMPT_RETRY}, /* password */
    };
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        struct sl_err err = {.error_class = ROWS[i].error_class};
        sl_err_code(&err, ROWS[i].code);
        if (attempt_end_of(&err) != ROWS[i].end)
            fail_msg("%s gives %d, expected %d", ROWS[i].code, attempt_end_of(&err), ROWS[i].end);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_sqlstate_has_its_consequence)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
