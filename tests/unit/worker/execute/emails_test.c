/* The catalogue of e-mails: all of them are there, and a folder of others is checked as a whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/execute/email_files.h"
#include "worker/execute/emails.h"

static const char *const all[] = {"welcome",   "payment_failed", "grace_ending", "suspended",
                                  "cancelled", "limit_reached",  "invite",       "admin_alert"};

static char folder[64];

static void write_file(const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void write_ours(const char *name)
{
    write_file(name, "ours\n");
}

static void unlink_file(const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    (void)unlink(path);
}

static void for_each_file(void (*visit)(const char *name))
{
    static const char *const suffixes[] = {"subject", "txt", "html"};
    for (size_t i = 0; i < SL_ARRAY_LEN(all); i++) {
        for (size_t j = 0; j < SL_ARRAY_LEN(suffixes); j++) {
            char name[64];
            (void)snprintf(name, sizeof(name), "%s.%s", all[i], suffixes[j]);
            visit(name);
        }
    }
}

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/sluice-emails-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    for_each_file(write_ours);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    for_each_file(unlink_file);
    return rmdir(folder);
}

static void each_has_its_three_parts(void **state)
{
    (void)state;
    struct sl_err err = {0};
    struct args none = {0};
    struct emails *emails = emails_create("", &err);
    if (!emails)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < SL_ARRAY_LEN(all); i++) {
        assert_true(emails_have(all[i]));
        for (int part = 0; part < TEMPLATE_KIND_COUNT; part++) {
            struct sl_buf out;
            sl_buf_init(&out, 65536);
            assert_true(emails_render(emails, all[i], (enum template_kind)part, &none, &out));
            assert_true(out.len > 0);
            assert_null(strstr(out.data, "{{"));
            sl_buf_deinit(&out);
        }
    }
    assert_false(emails_have(""));
    assert_false(emails_have("Welcome"));
    emails_destroy(emails);
    emails_destroy(NULL);
}

static void a_folder_stands_for_the_embedded_ones(void **state)
{
    (void)state;
    struct sl_err err = {0};
    struct args none = {0};
    struct sl_buf out;
    sl_buf_init(&out, 1024);
    struct emails *emails = emails_create(folder, &err);
    if (!emails)
        fail_msg("%s", err.message);
    assert_true(emails_render(emails, "welcome", TEMPLATE_TEXT, &none, &out));
    assert_string_equal(out.data, "ours\n");
    sl_buf_deinit(&out);
    emails_destroy(emails);
}

static void a_file_that_is_wrong_is_named(void **state)
{
    (void)state;
    struct sl_err err = {0};
    static char long_text[32 * 1024 + 2];
    write_file("invite.html", "{{to}}\n");
    assert_null(emails_create(folder, &err));
    assert_non_null(strstr(err.message, "/invite.html: line 1: there is no value for {{to}}"));
    memset(long_text, 'x', sizeof(long_text) - 1);
    write_file("invite.html", long_text);
    assert_null(emails_create(folder, &err));
    assert_non_null(strstr(err.message, "/invite.html: it is longer"));
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/invite.html", folder);
    assert_int_equal(unlink(path), 0);
    assert_null(emails_create(folder, &err));
    assert_non_null(strstr(err.message, "/invite.html: it can't be read: No such file"));
    write_file("invite.html", "ours\n");
    assert_int_equal(err.error_class, SL_ERR_PERMANENT);
}

/* docs/emails.md has a line for each, with every value that its text takes. */
static void the_page_tells_them_all(void **state)
{
    (void)state;
    static char page[1 << 16];
    FILE *file = fopen("docs/emails.md", "re");
    assert_non_null(file);
    page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
    for (size_t i = 0; i < EMAIL_FILE_COUNT; i++) {
        char head[96];
        size_t name_len = strcspn(EMAIL_FILES[i].name, ".");
        (void)snprintf(head, sizeof(head), "| `%.*s` |", (int)name_len, EMAIL_FILES[i].name);
        const char *line = strstr(page, head);
        if (!line)
            fail_msg("docs/emails.md has no line %s", head);
        const char *end = strchr(line, '\n');
        for (const char *at = strstr(EMAIL_FILES[i].text, "{{"); at; at = strstr(at + 2, "{{")) {
            char variable[96];
            (void)snprintf(variable, sizeof(variable), "`%.*s`", (int)strcspn(at + 2, "}"), at + 2);
            const char *told = strstr(line, variable);
            if (!told || told > end)
                fail_msg("docs/emails.md doesn't tell %s of %s", variable, EMAIL_FILES[i].name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_tells_them_all),
        cmocka_unit_test(each_has_its_three_parts),
        cmocka_unit_test(a_folder_stands_for_the_embedded_ones),
        cmocka_unit_test(a_file_that_is_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
