/* tree.h - a tree of things that followed from each other, with times: printed for people, or as JSON.
 *
 * A node is a JSON object {"kind", "at", "text", …, "children": […]}; whoever makes it may add members, which only JSON
 * shows.
 */
#ifndef CTL_TREE_H
#define CTL_TREE_H

#include <jansson.h>

#include "common/base.h"

/* `at`: ISO text as Postgres' JSON has it, or NULL. Owned by the caller. */
SL_MUST_CHECK json_t *tree_node(const char *kind, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Takes the child. */
void tree_add(json_t *node, json_t *child);
/* A leaf with nothing but a text. */
void tree_note(json_t *node, const char *kind, const char *at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Children in the order of their times; those without one keep their place before what follows. */
void tree_sort(json_t *node);

/* Lines with the time of each node, and what has passed since `tree`'s own. */
void tree_print(const json_t *tree);

#endif
