/* emails.c - the catalogue of e-mails and the loading of their texts. */
#include "worker/execute/emails.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base.h"
#include "worker/execute/email_files.h"

#define FILE_BYTES_MAX ((size_t)32 * 1024)
#define VARIABLES_MAX  5

struct email {
    const char *name;
    const char *variables[VARIABLES_MAX + 1]; /* up to the first NULL */
};

/* As docs/emails.md tells them. */
static const struct email catalogue[] = {
    {"welcome", {"url"}},
    {"payment_failed", {"invoice_url", "ends_at"}},
    {"grace_ending", {"ends_at"}},
    {"suspended", {NULL}},
    {"cancelled", {NULL}},
    {"limit_reached", {"what", "limit", "resets_at"}},
    {"invite", {"workspace_name", "invited_by", "url"}},
    {"admin_alert", {"user_id", "agent_id", "job_id", "kind", "cause"}},
};
#define EMAIL_COUNT SL_ARRAY_LEN(catalogue)

static const char *const suffixes[TEMPLATE_KIND_COUNT] = {
    [TEMPLATE_SUBJECT] = "subject", [TEMPLATE_TEXT] = "txt", [TEMPLATE_HTML] = "html"};

struct emails {
    char *texts[EMAIL_COUNT][TEMPLATE_KIND_COUNT];
};

static char *read_embedded(const char *name, struct sl_err *err)
{
    for (size_t i = 0; i < EMAIL_FILE_COUNT; i++)
        if (strcmp(EMAIL_FILES[i].name, name) == 0)
            return sl_strdup(EMAIL_FILES[i].text);
    (void)sl_err_set(err, SL_ERR_PERMANENT, "there is no such template");
    return NULL;
}

static char *read_file(const char *folder, const char *name, struct sl_err *err)
{
    char path[4096];
    int length = snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = length > 0 && (size_t)length < sizeof(path) ? fopen(path, "re") : NULL;
    if (!file) {
        (void)sl_err_set(err, SL_ERR_PERMANENT, "it can't be read: %s", strerror(errno));
        return NULL;
    }
    char *text = sl_calloc(1, FILE_BYTES_MAX + 1);
    size_t bytes = fread(text, 1, FILE_BYTES_MAX + 1, file);
    bool failed = ferror(file) != 0;
    (void)fclose(file);
    if (!failed && bytes <= FILE_BYTES_MAX && !memchr(text, '\0', bytes))
        return text;
    free(text);
    (void)sl_err_set(err, SL_ERR_PERMANENT, failed ? "it can't be read" : "it is longer than %zu bytes, or holds a NUL",
                     FILE_BYTES_MAX);
    return NULL;
}

static size_t variable_count(const struct email *email)
{
    size_t count = 0;
    while (email->variables[count])
        count++;
    return count;
}

/* NULL when there is none; the error names the file. */
static char *load(const struct email *email, enum template_kind kind, const char *folder, struct sl_err *err)
{
    struct sl_err why = {0};
    char name[80];
    (void)snprintf(name, sizeof(name), "%s.%s", email->name, suffixes[kind]);
    char *text = folder ? read_file(folder, name, &why) : read_embedded(name, &why);
    if (text && template_check(sl_str_of(text), kind, email->variables, variable_count(email), &why))
        return text;
    free(text);
    (void)sl_err_set(err, SL_ERR_PERMANENT, "the e-mail's template %s%s%s: %s", folder ? folder : "", folder ? "/" : "",
                     name, why.message);
    return NULL;
}

struct emails *emails_create(const char *folder, struct sl_err *err)
{
    struct emails *emails = sl_calloc(1, sizeof(*emails));
    const char *from = folder && folder[0] != '\0' ? folder : NULL;
    bool ok = true;
    for (size_t i = 0; ok && i < EMAIL_COUNT; i++) {
        for (int kind = 0; ok && kind < TEMPLATE_KIND_COUNT; kind++) {
            emails->texts[i][kind] = load(&catalogue[i], (enum template_kind)kind, from, err);
            ok = emails->texts[i][kind] != NULL;
        }
    }
    if (ok)
        return emails;
    emails_destroy(emails);
    return NULL;
}

void emails_destroy(struct emails *emails)
{
    if (!emails)
        return;
    for (size_t i = 0; i < EMAIL_COUNT; i++)
        for (int kind = 0; kind < TEMPLATE_KIND_COUNT; kind++)
            free(emails->texts[i][kind]);
    free(emails);
}

static size_t index_of(const char *name)
{
    size_t i = 0;
    while (i < EMAIL_COUNT && strcmp(catalogue[i].name, name) != 0)
        i++;
    return i;
}

bool emails_have(const char *name)
{
    return index_of(name) < EMAIL_COUNT;
}

bool emails_render(const struct emails *emails, const char *name, enum template_kind part, const struct args *values,
                   struct sl_buf *out)
{
    size_t index = index_of(name);
    SL_ASSERT(index < EMAIL_COUNT && part >= 0 && part < TEMPLATE_KIND_COUNT);
    return template_render(sl_str_of(emails->texts[index][part]), part, values, out);
}
