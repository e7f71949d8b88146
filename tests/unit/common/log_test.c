/* Lines are read back from a file that stands in for stderr. */
#include "tests/unit/cmocka_all.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/json.h"
#include "common/log.h"
#include "common/utf8.h"

static int saved_stderr;
static FILE *captured;

static void capture_begin(void)
{
    captured = tmpfile();
    assert_non_null(captured);
    saved_stderr = dup(STDERR_FILENO);
    assert_true(dup2(fileno(captured), STDERR_FILENO) >= 0);
}

/* What was logged since; the caller frees it. */
static char *capture_end(void)
{
    assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
    (void)close(saved_stderr);
    struct sl_buf buf;
    sl_buf_init(&buf, 1 << 22);
    rewind(captured);
    char block[4096];
    for (size_t got = fread(block, 1, sizeof(block), captured); got > 0;
         got = fread(block, 1, sizeof(block), captured)) {
        assert_true(sl_buf_append(&buf, block, got));
    }
    (void)fclose(captured);
    return sl_buf_take(&buf);
}

/* Behind "ts=2026-11-21T10:00:00.000Z ", which is checked for its shape. */
static const char *behind_time(const char *line)
{
    assert_int_equal(strncmp(line, "ts=20", 5), 0);
    assert_int_equal(line[13], 'T');
    assert_int_equal(line[22], '.');
    assert_int_equal(strncmp(line + 26, "Z ", 2), 0);
    return line + 28;
}

static void a_logfmt_line(void **state)
{
    (void)state;
    sl_log_init("sluice-worker", SL_LOG_INFO, SL_LOG_LOGFMT);
    capture_begin();
    sl_log(SL_LOG_WARN, "batch", "batch committed", LOG_INT("events", -3), LOG_CSTR("topic", "sluice.events.v1"),
           LOG_STR("empty", SL_STR_NONE), LOG_CSTR("odd", "a=\"b\\c\" d"), LOG_CSTR("word", "grün"));
    char *text = capture_end();
    assert_string_equal(behind_time(text),
                        "level=warn program=sluice-worker component=batch msg=\"batch committed\" events=-3 "
                        "topic=sluice.events.v1 empty=\"\" odd=\"a=\\\"b\\\\c\\\" d\" word=\"grün\"\n");
    free(text);
}

static void a_json_line(void **state)
{
    (void)state;
    sl_log_init("sluice-worker", SL_LOG_INFO, SL_LOG_JSON);
    capture_begin();
    sl_log(SL_LOG_ERROR, "batch", "it \"failed\"", LOG_INT("events", 9), LOG_STR("text", SL_STR("a\n\xFF")));
    char *text = capture_end();
    SL_JSON_AUTO *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    assert_str_is(sl_json_str(json, "level"), "error");
    assert_str_is(sl_json_str(json, "program"), "sluice-worker");
    assert_str_is(sl_json_str(json, "component"), "batch");
    assert_str_is(sl_json_str(json, "msg"), "it \"failed\"");
    assert_str_is(sl_json_str(json, "text"), "a\n\xEF\xBF\xBD");
    assert_int_equal(json_integer_value(sl_json_at(json, "events")), 9);
    assert_int_equal(sl_json_str(json, "ts").len, 24);
    assert_int_equal(text[strlen(text) - 1], '\n');
    free(text);
}

static void levels_filter(void **state)
{
    (void)state;
    sl_log_init("p", SL_LOG_WARN, SL_LOG_LOGFMT);
    assert_false(sl_log_enabled(SL_LOG_INFO));
    assert_true(sl_log_enabled(SL_LOG_WARN));
    capture_begin();
    sl_log(SL_LOG_DEBUG, "c", "no");
    sl_log(SL_LOG_INFO, "c", "no");
    sl_log(SL_LOG_ERROR, "c", "yes");
    char *text = capture_end();
    assert_string_equal(behind_time(text), "level=error program=p component=c msg=yes\n");
    free(text);

    enum sl_log_level level = SL_LOG_LEVEL_COUNT;
    assert_true(sl_log_level_parse(SL_STR("debug"), &level));
    assert_int_equal(level, SL_LOG_DEBUG);
    assert_true(sl_log_level_parse(SL_STR("error"), &level));
    assert_int_equal(level, SL_LOG_ERROR);
    assert_false(sl_log_level_parse(SL_STR("loud"), &level));
    assert_false(sl_log_level_parse(SL_STR_NONE, &level));
    assert_int_equal(level, SL_LOG_ERROR);
}

static void errors_spread_over_fields(void **state)
{
    (void)state;
    sl_log_init("p", SL_LOG_INFO, SL_LOG_LOGFMT);
    struct sl_err err;
    sl_err_set(&err, SL_ERR_RETRY, "connection lost");
    struct sl_err full = err;
    sl_err_code(&full, "57P01");
    sl_err_detail(&full, "server said: going");
    sl_err_hint(&full, "wait");
    const struct sl_err none = {.error_class = SL_ERR_NONE};
    capture_begin();
    sl_log(SL_LOG_INFO, "c", "m", LOG_ERR(&err), LOG_INT("n", 1));
    sl_log(SL_LOG_INFO, "c", "m", LOG_ERR(&full));
    sl_log(SL_LOG_INFO, "c", "m", LOG_ERR(&none), LOG_ERR(NULL));
    char *text = capture_end();
    struct sl_str rest = sl_str_of(text);
    assert_non_null(strstr(sl_str_cut(&rest, '\n').ptr, "msg=m error=\"connection lost\" class=retry n=1\n"));
    assert_non_null(strstr(sl_str_cut(&rest, '\n').ptr, "msg=m error=\"connection lost\" code=57P01 "
                                                        "detail=\"server said: going\" hint=wait class=retry\n"));
    assert_non_null(strstr(sl_str_cut(&rest, '\n').ptr, "msg=m\n"));
    free(text);
}

static void nothing_hostile_reaches_the_terminal(void **state)
{
    (void)state;
    char hostile[256];
    for (size_t i = 0; i < sizeof(hostile); i++) {
        hostile[i] = (char)i; /* NUL, newlines, escapes, and bytes that are no UTF-8 */
    }
    static const enum sl_log_format FORMATS[] = {SL_LOG_LOGFMT, SL_LOG_JSON};
    for (size_t f = 0; f < SL_ARRAY_LEN(FORMATS); f++) {
        sl_log_init("p", SL_LOG_INFO, FORMATS[f]);
        capture_begin();
        sl_log(SL_LOG_INFO, "c", "m", LOG_STR("bytes", ((struct sl_str){.ptr = hostile, .len = sizeof(hostile)})),
               LOG_CSTR("csi", "\xC2\x9B"
                               "31m"));
        char *text = capture_end();
        const size_t len = strlen(text);
        assert_true(sl_utf8_is_valid((struct sl_str){.ptr = text, .len = len}));
        for (size_t i = 0; i + 1 < len; i++) {
            assert_true((unsigned char)text[i] >= ' ' && text[i] != 0x7F);
        }
        assert_null(strstr(text, "\xC2\x9B"));
        assert_int_equal(text[len - 1], '\n');
        free(text);
    }
}

static void long_values_are_cut_between_characters(void **state)
{
    (void)state;
    char value[4000];
    for (size_t i = 0; i + 3 <= sizeof(value); i += 3) {
        memcpy(value + i, "€", 3);
    }
    sl_log_init("p", SL_LOG_INFO, SL_LOG_JSON);
    capture_begin();
    sl_log(SL_LOG_INFO, "c", "m", LOG_STR("long", ((struct sl_str){.ptr = value, .len = 3999})),
           LOG_STR("fits", ((struct sl_str){.ptr = value, .len = 1023})));
    char *text = capture_end();
    SL_JSON_AUTO *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    const struct sl_str cut = sl_json_str(json, "long");
    assert_int_equal(cut.len, 1023 + 3);
    assert_memory_equal(cut.ptr + 1020, "€…", 6);
    assert_int_equal(sl_json_str(json, "fits").len, 1023);
    free(text);
}

static void long_lines_are_cut_between_fields(void **state)
{
    (void)state;
    char value[1024];
    memset(value, '\x01', sizeof(value)); /* six times as long once escaped */
    const struct sl_str text_value = {.ptr = value, .len = sizeof(value)};
    static const enum sl_log_format FORMATS[] = {SL_LOG_JSON, SL_LOG_LOGFMT};
    for (size_t f = 0; f < SL_ARRAY_LEN(FORMATS); f++) {
        sl_log_init("p", SL_LOG_INFO, FORMATS[f]);
        capture_begin();
        sl_log(SL_LOG_INFO, "c", "m", LOG_STR("a", text_value), LOG_STR("b", text_value), LOG_STR("x", text_value),
               LOG_INT("d", 1));
        char *text = capture_end();
        assert_true(strlen(text) <= (size_t)16 * 1024);
        assert_int_equal(text[strlen(text) - 1], '\n');
        if (FORMATS[f] == SL_LOG_JSON) {
            SL_JSON_AUTO *json = json_loads(text, 0, NULL);
            assert_non_null(json);
            assert_true(sl_json_bool(json, "cut", false));
            assert_int_equal(sl_json_str(json, "b").len, 1024);
            assert_null(sl_json_at(json, "x"));
        } else {
            assert_non_null(strstr(text, "\" cut=true\n"));
        }
        free(text);
    }
}

static void *log_many(void *argument)
{
    const int *number = argument;
    for (int i = 0; i < 500; i++) {
        sl_log(SL_LOG_INFO, "thread", "a line of some length that must stay in one piece", LOG_INT("n", *number));
    }
    return NULL;
}

static void lines_of_threads_stay_whole(void **state)
{
    (void)state;
    sl_log_init("p", SL_LOG_INFO, SL_LOG_LOGFMT);
    capture_begin();
    pthread_t threads[4];
    int numbers[4] = {1, 22, 1, 22};
    for (size_t i = 0; i < SL_ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, &numbers[i]), 0);
    }
    for (size_t i = 0; i < SL_ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    char *text = capture_end();
    struct sl_str rest = sl_str_of(text);
    size_t count = 0;
    for (; rest.len > 0; count++) {
        const struct sl_str line = sl_str_cut(&rest, '\n');
        assert_true(line.len > 28);
        const struct sl_str tail = {.ptr = line.ptr + 28, .len = line.len - 28};
        assert_true(sl_str_is(tail, "level=info program=p component=thread msg=\"a line of some length that must stay "
                                    "in one piece\" n=1") ||
                    sl_str_is(tail, "level=info program=p component=thread msg=\"a line of some length that must stay "
                                    "in one piece\" n=22"));
    }
    assert_int_equal(count, 2000);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_logfmt_line),
        cmocka_unit_test(a_json_line),
        cmocka_unit_test(levels_filter),
        cmocka_unit_test(errors_spread_over_fields),
        cmocka_unit_test(nothing_hostile_reaches_the_terminal),
        cmocka_unit_test(long_values_are_cut_between_characters),
        cmocka_unit_test(long_lines_are_cut_between_fields),
        cmocka_unit_test(lines_of_threads_stay_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
