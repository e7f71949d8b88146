/* kept_fuzz.c - any text as what is kept of a job (jobs.result, jobs.args), and any text as a template with those args.
 *
 * Findings that were read are written so that they read as the same; args keep every text member that fits, in order; a
 * template that was checked is rendered, for those values, without a character of HTML that the template has not, and
 * as one line where it is a subject.
 *
 * Input: a byte for the kind of template; the template, up to the next NUL; the JSON.
 */
#include <stdio.h>

#include "common/utf8.h"
#include "tests/fuzz/bytes.h"
#include "worker/execute/findings.h"
#include "worker/execute/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUT_BYTES_MAX ((size_t)4 << 20)

static void check_findings(struct sl_str text)
{
    struct findings first, again;
    struct sl_buf out, out_again;
    struct sl_err err = {0};
    if (!findings_read(text, &first, &err)) {
        SL_ASSERT(err.error_class == SL_ERR_PERMANENT);
        return;
    }
    sl_buf_init(&out, FINDINGS_JSON_BYTES_MAX);
    sl_buf_init(&out_again, FINDINGS_JSON_BYTES_MAX);
    SL_ASSERT(findings_write(&first, &out));
    SL_ASSERT(findings_read(sl_buf_str(&out), &again, &err) && findings_write(&again, &out_again));
    SL_ASSERT(sl_str_equal(sl_buf_str(&out), sl_buf_str(&out_again)));
    sl_buf_reset(&out);
    SL_ASSERT(findings_write_outcome(&first, &out));
    SL_JSON_AUTO *json = NULL;
    SL_ASSERT(sl_json_parse(sl_buf_str(&out), 0, &json, &err) && json_is_object(json));
    findings_deinit(&first);
    findings_deinit(&first);
    findings_deinit(&again);
    sl_buf_deinit(&out);
    sl_buf_deinit(&out_again);
}

static void check_args(const struct args *args, json_t *json)
{
    const char *name, *value;
    json_t *member;
    size_t at = 0;
    json_object_foreach(json, name, member)
    {
        if (!json_is_string(member))
            continue;
        const char *got_name = NULL;
        SL_ASSERT(args_next(args, &at, &got_name, &value) && strcmp(got_name, name) == 0);
        SL_ASSERT(strcmp(value, json_string_value(member)) == 0 && strcmp(args_text(args, name), value) == 0);
    }
    SL_ASSERT(!args_next(args, &at, &name, &value));
    SL_ASSERT(args_text(args, "no such name at all")[0] == '\0');
}

static size_t count_of(struct sl_str text, char byte)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == byte;
    return count;
}

static void check_template(struct sl_str text, enum template_kind kind, const struct args *args)
{
    static const char *const NAMES[] = {"name", "agent_name", "url"};
    struct sl_err err = {0};
    struct sl_buf out;
    if (!template_check(text, kind, NAMES, SL_ARRAY_LEN(NAMES), &err)) {
        SL_ASSERT(err.error_class == SL_ERR_PERMANENT);
        return;
    }
    sl_buf_init(&out, OUT_BYTES_MAX);
    SL_ASSERT(template_render(text, kind, args, &out));
    struct sl_str rendered = sl_buf_str(&out);
    SL_ASSERT(sl_utf8_is_valid(rendered));
    /* One for the last line, which may have none. */
    SL_ASSERT(count_of(rendered, '\n') <= count_of(text, '\n') + 1);
    if (kind == TEMPLATE_SUBJECT)
        SL_ASSERT(count_of(rendered, '\n') == 0);
    if (kind == TEMPLATE_HTML) {
        static const char MARKUP[] = "<>\"'";
        for (const char *byte = MARKUP; *byte; byte++)
            SL_ASSERT(count_of(rendered, *byte) <= count_of(text, *byte));
    }
    sl_buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_bytes bytes = {.at = data, .left = size};
    enum template_kind kind = (enum template_kind)(fuzz_byte(&bytes) % TEMPLATE_KIND_COUNT);
    struct sl_str template = fuzz_text(&bytes);
    struct sl_str text = fuzz_rest(&bytes);
    struct args args = {.len = 0};
    struct sl_err err = {0};
    SL_JSON_AUTO *json = NULL;
    check_findings(text);
    if (sl_json_parse(text, 0, &json, NULL) && args_read(json, &args, &err))
        check_args(&args, json);
    check_template(template, kind, &args);
    args_deinit(&args);
    args_deinit(&args);
    fuzz_free(template);
    fuzz_free(text);
    return 0;
}
