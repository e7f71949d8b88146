/* read_sql.h - how the reads' statements spell what they share. */
#ifndef CONSOLE_READ_SQL_H
#define CONSOLE_READ_SQL_H

/* A timestamptz as ISO 8601 in UTC with milliseconds, as everywhere else. */
#define ISO(expression) "to_char(" expression " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

/* Rows are newest first, by (created_at, id): the cursor's number is created_at in microseconds. */
#define NEWEST_FIRST  "created_at DESC, id DESC"
#define BEFORE_CURSOR "($5 < 0 OR (created_at, id) < ('epoch'::timestamptz + $5 * interval '1 microsecond', $6::uuid))"
/* Behind a `page` of one row more than is wanted. */
#define SHOWN " shown AS (SELECT * FROM page ORDER BY " NEWEST_FIRST " LIMIT $4)"
#define NEXT                                                                                                           \
    "(SELECT (extract(epoch FROM created_at) * 1000000)::bigint || '.' || id FROM shown"                               \
    " WHERE (SELECT count(*) FROM page) > $4 ORDER BY created_at, id LIMIT 1)"

#endif
