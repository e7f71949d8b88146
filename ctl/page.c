/* page.c - see page.h. */
#include "ctl/page.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/output.h"
#include "ctl/query.h"

static bool json_part(struct ctl *ctl, const char *sql, const char *const *values, int value_count, json_t **ret_json,
                      struct sl_err *err)
{
    char *text = NULL;
    if (!query_json(ctl, sql, values, value_count, &text, err))
        return false;
    *ret_json = json_loads(text, 0, NULL);
    free(text);
    SL_ASSERT(*ret_json);
    return true;
}

static bool show_json(struct ctl *ctl, const struct page *page, const char *const *values, int value_count,
                      struct sl_err *err)
{
    json_t *object = json_object();
    json_t *rows = NULL;
    bool ok = true;
    if (page->record) {
        ok = json_part(ctl, page->record, values, value_count, &rows, err);
        if (ok)
            (void)json_object_update(object, json_array_get(rows, 0));
        json_decref(rows);
    }
    for (size_t i = 0; ok && i < page->part_count; i++) {
        ok = json_part(ctl, page->parts[i].sql, values, value_count, &rows, err);
        if (ok)
            (void)json_object_set_new(object, page->parts[i].name, rows);
    }
    if (ok && page->extra_collect) {
        rows = json_array();
        ok = page->extra_collect(ctl, rows, err);
        (void)json_object_set_new(object, page->extra_name, rows);
    }
    if (ok) {
        (void)json_dumpf(object, stdout, JSON_INDENT(2));
        (void)fputc('\n', stdout);
    }
    json_decref(object);
    return ok;
}

static bool show_tables(struct ctl *ctl, const struct page *page, const char *const *values, int value_count,
                        struct sl_err *err)
{
    for (size_t i = 0; i < page->part_count; i++) {
        output_heading(page->parts[i].title);
        if (query_print(ctl, page->parts[i].sql, values, value_count, page->parts[i].empty_note, err) < 0)
            return false;
    }
    if (!page->extra_collect)
        return true;
    json_t *rows = json_array();
    bool ok = page->extra_collect(ctl, rows, err);
    if (ok)
        page->extra_print(rows);
    json_decref(rows);
    return ok;
}

enum ctl_exit page_show(struct ctl *ctl, const struct page *page, const char *id)
{
    struct sl_err err = {0};
    const char *values[] = {id};
    int value_count = page->record ? 1 : 0;
    if (page->record) {
        SL_PG_AUTO *record = NULL;
        if (!query_run(ctl, page->record, values, 1, &record, &err))
            return ctl_fail(&err);
        if (PQntuples(record) == 0) {
            (void)fprintf(stderr, "sluicectl: no %s has the id \"%s\"\n", page->noun, id);
            return CTL_FOUND;
        }
        if (!ctl->options.json)
            output_record(record, 0);
    }
    bool ok = ctl->options.json ? show_json(ctl, page, values, value_count, &err)
                                : show_tables(ctl, page, values, value_count, &err);
    return ok ? CTL_DONE : ctl_fail(&err);
}
