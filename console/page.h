/* page.h - the console's web pages: one for now, which says what is served here. */
#ifndef CONSOLE_PAGE_H
#define CONSOLE_PAGE_H

#include "common/str.h"

#define PAGE_CONTENT_TYPE "text/html; charset=utf-8"

struct sl_str page_index(void); /* static */

#endif
