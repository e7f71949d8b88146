/* Texts with placeholders: what they become, and what no template may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/execute/template.h"

static const char *const names[] = {"url", "name", "_x"};

static void renders_to(const char *text, enum template_kind kind, const char *json, const char *expected)
{
    SL_JSON_AUTO *object = NULL;
    struct args values;
    struct sl_buf out;
    sl_buf_init(&out, 1024);
    assert_true(sl_json_parse(sl_str_of(json), 0, &object, NULL));
    assert_true(args_read(object, &values, NULL));
    assert_true(template_check(sl_str_of(text), kind, names, 3, NULL));
    assert_true(template_render(sl_str_of(text), kind, &values, &out));
    assert_string_equal(out.data ? out.data : "", expected);
    args_deinit(&values);
    sl_buf_deinit(&out);
}

static void values_stand_where_their_names_stood(void **state)
{
    (void)state;
    const char *values = "{\"url\":\"https://x\",\"name\":\"Ann\"}";
    renders_to("Hi {{name}}{{name}}!\n{{url}}\n", TEMPLATE_TEXT, values, "Hi AnnAnn!\nhttps://x\n");
    renders_to("no newline {{name}}", TEMPLATE_TEXT, values, "no newline Ann\n");
    renders_to("} {x} }} {", TEMPLATE_TEXT, values, "} {x} }} {\n");
    renders_to("For {{name}}\n", TEMPLATE_SUBJECT, values, "For Ann");
    /* a value is no template */
    renders_to("{{name}}\n", TEMPLATE_TEXT, "{\"name\":\"{{url}}\",\"url\":\"x\"}", "{{url}}\n");
}

static void what_is_missing_is_empty_and_a_line_of_it_is_left_out(void **state)
{
    (void)state;
    renders_to("a {{name}} b\n{{url}}\n  {{url}} {{name}}\n\nc\n", TEMPLATE_TEXT, "{}", "a  b\n\nc\n");
    renders_to("{{url}}{{name}}\n", TEMPLATE_TEXT, "{\"name\":\"n\"}", "n\n");
    renders_to("<p>{{url}}</p>\n", TEMPLATE_HTML, "{}", "<p></p>\n");
}

static void html_is_escaped(void **state)
{
    (void)state;
    const char *values = "{\"name\":\"<b a='1' c=\\\"2\\\">&amp;\u00e4\"}";
    const char *escaped = "<i>&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;amp;\xc3\xa4</i>\n";
    renders_to("<i>{{name}}</i>\n", TEMPLATE_HTML, values, escaped);
    renders_to("{{name}}\n", TEMPLATE_TEXT, values, "<b a='1' c=\"2\">&amp;\xc3\xa4\n");
}

static void a_value_is_one_line(void **state)
{
    (void)state;
    const char *values = "{\"name\":\"a\\r\\nBcc: b\\u007f\"}";
    renders_to("{{name}}\n", TEMPLATE_SUBJECT, values, "a  Bcc: b ");
    renders_to("{{name}}\n", TEMPLATE_TEXT, values, "a  Bcc: b \n");
    renders_to("{{name}}\n", TEMPLATE_HTML, values, "a  Bcc: b \n");
}

static void what_is_no_template_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum template_kind kind;
        const char *error;
    } cases[] = {
        {"", TEMPLATE_TEXT, "it is empty"},
        {"a\n{{nome}}\n", TEMPLATE_TEXT, "line 2: there is no value for {{nome}}"},
        {"{{}}", TEMPLATE_TEXT, "line 1: there is no value for {{}}"},
        {"{{ name }}", TEMPLATE_TEXT, "there is no value for {{ name }}"},
        {"{{name}\n}}", TEMPLATE_TEXT, "line 1: a placeholder is not closed"},
        {"{{name}} {{", TEMPLATE_HTML, "line 1: a placeholder is not closed"},
        {"a\nb\n", TEMPLATE_SUBJECT, "a subject is one line"},
        {"  \n", TEMPLATE_SUBJECT, "a subject is not empty"},
        {"\xff", TEMPLATE_TEXT, "no UTF-8"},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        struct sl_err err = {0};
        assert_false(template_check(sl_str_of(cases[i].text), cases[i].kind, names, 3, &err));
        assert_int_equal(err.error_class, SL_ERR_PERMANENT);
        if (!strstr(err.message, cases[i].error))
            fail_msg("case %zu: \"%s\" without \"%s\"", i, err.message, cases[i].error);
    }
}

static void too_little_room_is_told(void **state)
{
    (void)state;
    struct args none = {0};
    struct sl_buf out;
    sl_buf_init(&out, 4);
    assert_false(template_render(SL_STR("longer\n"), TEMPLATE_TEXT, &none, &out));
    sl_buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_stand_where_their_names_stood),
        cmocka_unit_test(what_is_missing_is_empty_and_a_line_of_it_is_left_out),
        cmocka_unit_test(html_is_escaped),
        cmocka_unit_test(a_value_is_one_line),
        cmocka_unit_test(what_is_no_template_is_told),
        cmocka_unit_test(too_little_room_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
