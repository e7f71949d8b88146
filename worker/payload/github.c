/* github.c - the repository's webhooks: of them workflow_run alone matters, where the run is one that we dispatched. */
#include "worker/payload/reader.h"

/* The workflow's run-name (contract, section 5): "sluice <job_id>". */
#define RUN_NAME_PREFIX SL_STR("sluice ")

bool github_read(const struct reader *reader, struct sl_err *err)
{
    struct input_workflow_run *run = &reader->input->as.workflow_run;
    struct sl_str title = sl_json_str(reader->body, "workflow_run.display_title");
    struct sl_uuid job_id = {0};
    (void)err;
    if (sl_str_starts_with(title, RUN_NAME_PREFIX)) {
        title.ptr += RUN_NAME_PREFIX.len;
        title.len -= RUN_NAME_PREFIX.len;
        if (!sl_uuid_parse(title, &job_id))
            job_id = (struct sl_uuid){0};
    }
    *run = (struct input_workflow_run){
        .job_id = job_id,
        .run_id = reader_id(reader, "workflow_run.id"),
        .action = reader_str(reader, "action"),
        .conclusion = reader_str(reader, "workflow_run.conclusion"),
    };
    return true;
}

static struct sl_str form_field(struct sl_str body, struct sl_str name)
{
    while (!sl_str_empty(body)) {
        struct sl_str value = sl_str_cut(&body, '&');
        if (sl_str_equal(sl_str_cut(&value, '='), name))
            return value;
    }
    return SL_STR_NONE;
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit = (char)(digit | 0x20);
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

struct sl_str github_form_payload(struct sl_str body, struct sl_arena *arena)
{
    struct sl_str field = form_field(body, SL_STR("payload"));
    if (sl_str_empty(field))
        return SL_STR_NONE;
    char *text = sl_arena_alloc(arena, field.len, 1);
    size_t len = 0;
    for (size_t i = 0; i < field.len; i++) {
        char byte = field.ptr[i];
        if (byte == '+') {
            byte = ' ';
        } else if (byte == '%') {
            int high = field.len - i > 2 ? hex_digit(field.ptr[i + 1]) : -1;
            int low = field.len - i > 2 ? hex_digit(field.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return SL_STR_NONE;
            byte = (char)(high * 16 + low);
            i += 2;
        }
        text[len++] = byte;
    }
    return (struct sl_str){.ptr = text, .len = len};
}
