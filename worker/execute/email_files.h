/* email_files.h - the files of deploy/emails, embedded by the build, in the order of their names. */
#ifndef EXECUTE_EMAIL_FILES_H
#define EXECUTE_EMAIL_FILES_H

#include <stddef.h>

struct email_file {
    const char *name; /* "welcome.subject" */
    const char *text; /* NUL-terminated */
    size_t bytes;
};

extern const struct email_file EMAIL_FILES[];
extern const size_t EMAIL_FILE_COUNT;

#endif
