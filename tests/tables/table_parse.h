/* table_parse.h - how the words of the tables are read: by keys that set members. Shared by the files that know which
 * rows and events have which. */
#ifndef TABLE_PARSE_H
#define TABLE_PARSE_H

#include "tests/support/world.h"

/* A member of a row or event that a key sets: one of the pointers. */
struct named_member {
    const char *key;
    struct sl_str *text;
    int64_t *number;
    bool *flag;
    int *small;
};

/* The event under construction: its first word, the id it stands for, and the keys that its type has. */
struct event_words {
    struct world *world;
    struct input *input;
    struct sl_str first;
    struct sl_uuid id;
    struct named_member members[24];
    size_t member_count;
};

/* Cuts the next word, or a word of one letter ('-': another one), off `rest`. */
struct sl_str next_word(struct sl_str *rest);
char next_letter(struct sl_str *rest);
/* key=value and flags up to the end; text values are borrowed from the line. False, with the word, for an unknown key.
 */
SL_MUST_CHECK bool set_members(struct sl_str rest, struct named_member *members, size_t member_count,
                               struct sl_str *ret_problem);

void add_member(struct event_words *words, struct named_member member);
void add_text(struct event_words *words, const char *key, struct sl_str *text);
struct sl_str named(const struct event_words *words); /* the first word; empty for '-' */

/* table_workspace.c: the rows and events of workspaces, their billing, usage and early access. */
struct fact_word {
    const char *word;
    bool (*read)(struct world *world, struct sl_str rest, struct sl_str *ret_problem);
};
/* NULL for a word that it doesn't know. */
const struct fact_word *table_workspace_fact(struct sl_str word);
/* The keys of an event's type: of those that it knows alone, and what it adds to those of checkouts and jobs. */
void table_workspace_event(struct event_words *words);
/* "a,b" as an array in the arena. */
const struct sl_str *table_list(struct world *world, struct sl_str text, size_t *ret_count);

/* table_workspace_changes.c: the part of a plan that is about them, each change behind "; ". */
struct sl_buf;
void table_user_changes(struct sl_buf *buf, const struct user *before, const struct user *after);
void table_workspace_changes(const struct world *world, const struct plan *plan, struct sl_buf *buf);

#endif
