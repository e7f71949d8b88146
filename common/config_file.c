/* config_file.c - inih, fed line by line, so that every bad line is told with its number (inih tells the first).
 *
 * Lines are handed over without leading blanks: there are no continuation lines. Sections are watched here, because
 * inih cuts long names.
 */
#include "common/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES_MAX 8192

struct reader {
    struct config_file *file;
    struct config_problems *problems;
    struct sl_str rest;
    int line;
    bool owes_entry;    /* the line handed over must come back as an entry */
    bool skips_entries; /* the section's line was bad: what follows belongs nowhere */
};

bool config_file_slurp(const char *path, struct sl_buf *out, char ret_reason[128])
{
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        (void)snprintf(ret_reason, 128, "can't be opened: %s", strerror(errno));
        return false;
    }
    char block[4096];
    ssize_t got;
    bool fits = true;
    do {
        got = read(descriptor, block, sizeof(block));
        if (got > 0) {
            fits = sl_buf_append(out, block, (size_t)got);
        }
    } while (fits && (got > 0 || (got < 0 && errno == EINTR)));
    const int read_errno = errno;
    (void)close(descriptor);
    sl_secret_wipe(block, sizeof(block));
    if (!fits) {
        (void)snprintf(ret_reason, 128, "is longer than %zu bytes", out->len_max);
    } else if (got < 0) {
        (void)snprintf(ret_reason, 128, "can't be read: %s", strerror(read_errno));
    } else if (out->len > 0 && memchr(out->data, '\0', out->len) != NULL) {
        (void)snprintf(ret_reason, 128, "has a NUL byte in it");
    } else {
        return true;
    }
    return false;
}

static char *copy_of(struct sl_str text)
{
    char *copy = sl_malloc(text.len + 1);
    if (text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    copy[text.len] = '\0';
    return copy;
}

static void add_section(struct reader *reader, struct sl_str name)
{
    struct config_file *file = reader->file;
    if (file->section_count == file->section_cap) {
        file->section_cap = file->section_cap == 0 ? 16 : file->section_cap * 2;
        file->sections = sl_realloc(file->sections, file->section_cap * sizeof(file->sections[0]));
    }
    file->sections[file->section_count++] = (struct config_section){.name = copy_of(name), .line = reader->line};
}

static bool begins_comment(struct sl_str text)
{
    return text.len > 0 && (text.ptr[0] == ';' || text.ptr[0] == '#');
}

/* "[name]", maybe with a comment behind it. */
static bool take_section(struct reader *reader, struct sl_str line)
{
    struct sl_str rest = {.ptr = line.ptr + 1, .len = line.len - 1};
    const bool closed = rest.len > 0 && memchr(rest.ptr, ']', rest.len) != NULL;
    const struct sl_str name = sl_str_trim(sl_str_cut(&rest, ']'));
    const struct sl_str behind = sl_str_trim(rest);
    if (!closed || name.len == 0 || name.len > CONFIG_NAME_BYTES_MAX || (behind.len > 0 && !begins_comment(behind))) {
        config_problem_in_file(reader->problems, reader->file->path, reader->line,
                               "this is no section: write [name] alone on its line, of at most %d bytes",
                               CONFIG_NAME_BYTES_MAX);
        return false;
    }
    add_section(reader, name);
    return true;
}

static void settle(struct reader *reader)
{
    if (reader->owes_entry) {
        config_problem_in_file(reader->problems, reader->file->path, reader->line,
                               "this is no entry: write key = value, [section], or a comment with ; or # in front");
        reader->owes_entry = false;
    }
}

/* inih's fgets: gives the next line, or NULL at the end. */
static char *next_line(char *storage, int storage_bytes, void *stream)
{
    struct reader *reader = stream;
    settle(reader);
    if (reader->rest.len == 0) {
        return NULL;
    }
    struct sl_str line = sl_str_cut(&reader->rest, '\n');
    reader->line++;
    if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
        line.len--;
    }
    line = sl_str_trim(line);
    if (line.len + 2 > (size_t)storage_bytes) {
        config_problem_in_file(reader->problems, reader->file->path, reader->line,
                               "this line is longer than %d bytes; a variable NAME_FILE takes longer values",
                               storage_bytes - 2);
        line = SL_STR_NONE;
    } else if (line.len > 0 && line.ptr[0] == '[') {
        reader->skips_entries = !take_section(reader, line);
        line = SL_STR("[section]"); /* whatever inih makes of the name, the reader knows it */
    } else {
        reader->owes_entry = line.len > 0 && !begins_comment(line);
    }
    if (line.len > 0) {
        memcpy(storage, line.ptr, line.len);
    }
    storage[line.len] = '\n';
    storage[line.len + 1] = '\0';
    return storage;
}

static bool is_set_before(const struct config_section *section, const char *key, int *ret_line)
{
    for (size_t i = 0; i < section->entry_count; i++) {
        if (strcmp(section->entries[i].key, key) == 0) {
            *ret_line = section->entries[i].line;
            return true;
        }
    }
    return false;
}

static int take_entry(void *stream, const char *section_name, const char *key, const char *value)
{
    (void)section_name;
    struct reader *reader = stream;
    const char *path = reader->file->path;
    reader->owes_entry = false;
    if (reader->skips_entries) {
        return 1;
    }
    if (reader->file->section_count == 0) {
        config_problem_in_file(reader->problems, path, reader->line, "a key before the first [section]");
        return 1;
    }
    struct config_section *section = &reader->file->sections[reader->file->section_count - 1];
    int line_before;
    if (is_set_before(section, key, &line_before)) {
        config_problem_in_file(reader->problems, path, reader->line, "\"%.*s\" is set twice, before in line %d",
                               CONFIG_NAME_BYTES_MAX, key, line_before);
        return 1;
    }
    if (section->entry_count == section->entry_cap) {
        section->entry_cap = section->entry_cap == 0 ? 8 : section->entry_cap * 2;
        section->entries = sl_realloc(section->entries, section->entry_cap * sizeof(section->entries[0]));
    }
    section->entries[section->entry_count++] =
        (struct config_entry){.key = sl_strdup(key), .value = sl_strdup(value), .line = reader->line};
    return 1;
}

void config_file_read(struct config_file *file, const char *path, struct config_problems *problems)
{
    file->path = sl_strdup(path);
    struct sl_buf text;
    sl_buf_init(&text, CONFIG_FILE_BYTES_MAX);
    char reason[128];
    if (!config_file_slurp(path, &text, reason)) {
        config_problem_in_file(problems, path, 0, "the configuration file %s", reason);
    } else {
        struct reader reader = {.file = file, .problems = problems, .rest = sl_buf_str(&text)};
        const struct sl_str bom = SL_STR("\xEF\xBB\xBF");
        if (sl_str_starts_with(reader.rest, bom)) {
            reader.rest = (struct sl_str){.ptr = reader.rest.ptr + bom.len, .len = reader.rest.len - bom.len};
        }
#ifdef SLUICE_INIH_RUNTIME_LIMITS
        ini_use_stack = false;
        ini_allow_realloc = false;
        ini_initial_alloc = LINE_BYTES_MAX;
        ini_max_line = LINE_BYTES_MAX;
#endif
        (void)ini_parse_stream(next_line, &reader, take_entry, &reader); /* what it would report, settle has */
        settle(&reader);
    }
    sl_secret_wipe(text.data, text.cap);
    sl_buf_deinit(&text);
}

void config_file_deinit(struct config_file *file)
{
    for (size_t i = 0; i < file->section_count; i++) {
        struct config_section *section = &file->sections[i];
        for (size_t j = 0; j < section->entry_count; j++) {
            sl_secret_wipe(section->entries[j].value, strlen(section->entries[j].value));
            free(section->entries[j].value);
            free(section->entries[j].key);
        }
        free(section->entries);
        free(section->name);
    }
    free(file->sections);
    free(file->path);
    *file = (struct config_file){.path = NULL};
}
