/* dlq_replay.c - sluicectl dlq replay: letters go to the events topic again, in the order of the log, portion by
 * portion: read, published, delivered, marked. Interrupted at any place it may be run again: see dlq_publish.h.
 */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "ctl/dlq_dry.h"
#include "ctl/dlq_publish.h"
#include "ctl/dlq_reader.h"
#include "ctl/query.h"

#define PAGE_BYTES_MAX       ((size_t)64 * 1024 * 1024)
#define NO_LIMIT             INT64_C(1000000000)
#define CANARY_MAX           DLQ_PAGE_MAX
#define CANARY_WAIT_S        60
#define CANARY_POLL_MS       100
#define RATE_MAX             100000
#define QUEUE_FULL_WAIT_MS   100
#define QUEUE_FULL_TRIES_MAX 600
#define PROGRESS_TTY_MS      500
#define PROGRESS_PIPE_MS     10000

struct replay {
    struct ctl *ctl;
    const struct dlq_filter *filter;
    struct dlq_cursor cursor;
    struct dlq_reader *reader;
    struct dlq_publisher *publisher;
    struct sl_arena *arena;
    int64_t limit, rate, canary, wait_s;
    int64_t added, published, closed, under_way, job_gone, gone, died_again;
    int64_t begun_at_us, told_at_ms;
    struct sl_pg_array *canary_ids, *canary_seqs; /* in canary_arena; NULL: not in the canary */
    struct sl_arena *canary_arena;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* The first one ends the run after the portion under way, a second one at once. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

static void progress(struct replay *replay, bool is_last)
{
    bool is_tty = isatty(STDERR_FILENO);
    int64_t now_ms = sl_clock_mono_ms();
    if (!is_last && now_ms - replay->told_at_ms < (is_tty ? PROGRESS_TTY_MS : PROGRESS_PIPE_MS))
        return;
    replay->told_at_ms = now_ms;
    int64_t of = replay->cursor.total < replay->limit ? replay->cursor.total : replay->limit;
    (void)fprintf(stderr, "%s%" PRId64 " of %" PRId64 " letters are on their way again%s", is_tty ? "\r" : "",
                  replay->published, of, is_tty && !is_last ? "" : "\n");
}

/* Until the rate allows one more. */
static void pace(struct replay *replay)
{
    if (!replay->rate)
        return;
    int64_t due_us = replay->begun_at_us + replay->added * INT64_C(1000000) / replay->rate;
    for (int64_t now_us = sl_clock_mono_us(); now_us < due_us && !interrupted; now_us = sl_clock_mono_us())
        dlq_publisher_wait(replay->publisher, due_us - now_us < 100000 ? (int)((due_us - now_us) / 1000) + 1 : 100);
}

static bool add(struct replay *replay, const struct dlq_letter *letter, struct sl_err *err)
{
    for (int i = 0; i < QUEUE_FULL_TRIES_MAX && !interrupted; i++) {
        sl_err_clear(err);
        if (dlq_publisher_add(replay->publisher, letter, sl_clock_wall_ms(), err))
            return true;
        if (err->error_class != SL_ERR_RETRY)
            return false;
        dlq_publisher_wait(replay->publisher, QUEUE_FULL_WAIT_MS);
    }
    return false;
}

static void count_skipped(struct replay *replay, const struct dlq_letter *letter)
{
    if (letter->state == DLQ_UNDER_WAY)
        replay->under_way++;
    else if (letter->state == DLQ_JOB_GONE)
        replay->job_gone++;
    else if (letter->state == DLQ_WAITS) {
        replay->gone++;
        (void)fprintf(stderr, "sluicectl: letter %s: Kafka holds its message no more\n", letter->id_text);
    }
}

/* Letters whose messages are there. Whatever was delivered is marked, whatever happens. */
static bool publish_portion(struct replay *replay, const struct dlq_letter *letters, size_t count, struct sl_err *err)
{
    struct sl_err add_err = {0};
    size_t delivered = 0;
    bool ok = true;
    for (size_t i = 0; ok && i < count && !interrupted; i++) {
        const struct dlq_letter *letter = &letters[i];
        if (letter->state != DLQ_WAITS || (letter->wants_message && !letter->message)) {
            count_skipped(replay, letter);
            continue;
        }
        pace(replay);
        if (interrupted)
            break;
        ok = add(replay, letter, &add_err);
        replay->added += ok;
        if (ok && replay->canary_ids) {
            sl_pg_array_uuid(replay->canary_ids, letter->id);
            sl_pg_array_int(replay->canary_seqs, letter->seq);
        }
    }
    bool flushed = dlq_publisher_flush(replay->publisher, replay->ctl, &delivered, err);
    replay->published += (int64_t)delivered;
    if (flushed && !ok && !interrupted)
        *err = add_err;
    progress(replay, false);
    return flushed && (ok || interrupted);
}

/* Until `limit` letters are published in all, or there are no more. */
static bool publish_until(struct replay *replay, int64_t limit, struct sl_err *err)
{
    static struct dlq_letter letters[DLQ_PAGE_MAX];
    while (replay->published < limit && !interrupted) {
        size_t count = 0;
        size_t closed = 0;
        int64_t left = limit - replay->published;
        /* What a slow run has published is marked each second. */
        int64_t most = replay->rate && replay->rate < DLQ_PAGE_MAX ? replay->rate : DLQ_PAGE_MAX;
        sl_arena_reset(replay->arena);
        if (!dlq_cursor_next(replay->ctl, replay->filter, &replay->cursor, (size_t)(left < most ? left : most),
                             replay->arena, letters, &count, err))
            return false;
        if (!count)
            break;
        if (!dlq_close_decided(replay->ctl, letters, count, &closed, err))
            return false;
        replay->closed += (int64_t)closed;
        for (size_t done = 0, portion = 0; done < count && !interrupted; done += portion) {
            if (!dlq_reader_fetch(replay->reader, letters + done, count - done, &portion, err))
                return false;
            bool ok = publish_portion(replay, letters + done, portion, err);
            dlq_reader_release(letters + done, portion);
            if (!ok)
                return false;
        }
    }
    return true;
}

/* Rows: how many died again, how many are decided. A retry that is refused is a failed canary too. */
static const char CANARIES[] =
    "SELECT count(*) FILTER (WHERE l.seq <> m.seq OR (l.status = 'open' AND r.outcome IS NOT NULL)),"
    " count(*) FILTER (WHERE l.seq = m.seq AND l.status <> 'open')"
    " FROM unnest($1::uuid[], $2::bigint[]) AS m (id, seq) JOIN sluice.dead_letters l USING (id)"
    " LEFT JOIN LATERAL (SELECT outcome FROM sluice.events WHERE id = l.retry_id AND source = '/sluice/ctl' LIMIT 1) r"
    " ON true";

/* Polls: the decisions are another process's, there is nothing to wait on but time. */
static bool canary_lives(struct replay *replay, bool *ret_lives, struct sl_err *err)
{
    const int64_t deadline_ms = sl_clock_mono_ms() + replay->wait_s * 1000;
    const int64_t count = (int64_t)sl_pg_array_count(replay->canary_ids);
    struct sl_pg_params params;
    sl_pg_params_init(&params, replay->canary_arena);
    sl_pg_array(&params, replay->canary_ids);
    sl_pg_array(&params, replay->canary_seqs);
    *ret_lives = true;
    while (!interrupted) {
        SL_PG_AUTO *row = NULL;
        if (!sl_pg_run(replay->ctl->pg, CANARIES, &params, &row, err))
            return false;
        replay->died_again = sl_pg_get_int(row, 0, 0);
        if (replay->died_again) {
            *ret_lives = false;
            return true;
        }
        if (sl_pg_get_int(row, 0, 1) == count)
            return true;
        if (sl_clock_mono_ms() >= deadline_ms)
            return sl_err_set(err, SL_ERR_RETRY,
                              "no worker has decided the first %" PRId64 " letters within %" PRId64
                              " s: the others were left alone",
                              count, replay->wait_s);
        (void)poll(NULL, 0, CANARY_POLL_MS);
    }
    return true;
}

static bool publish_canary(struct replay *replay, bool *ret_lives, struct sl_err *err)
{
    int64_t limit = replay->canary < replay->limit ? replay->canary : replay->limit;
    replay->canary_ids = sl_pg_array_create(replay->canary_arena, SL_PG_UUID);
    replay->canary_seqs = sl_pg_array_create(replay->canary_arena, SL_PG_INT8);
    bool ok = publish_until(replay, limit, err) && canary_lives(replay, ret_lives, err);
    replay->canary_ids = NULL;
    return ok;
}

static bool publish_all(struct replay *replay, struct sl_err *err)
{
    bool lives = true;
    replay->begun_at_us = sl_clock_mono_us();
    replay->told_at_ms = sl_clock_mono_ms();
    if (!dlq_cursor_start(replay->ctl, replay->filter, &replay->cursor, err) ||
        (replay->canary && !publish_canary(replay, &lives, err)))
        return false;
    if (!lives)
        return true;
    return publish_until(replay, replay->limit, err);
}

static void print_end(const struct replay *replay)
{
    const struct {
        const char *name, *text;
        int64_t count;
    } rows[] = {
        {"published", "published again", replay->published},
        {"closed", "closed: decided meanwhile", replay->closed},
        {"under_way", "left alone: a replay is under way", replay->under_way},
        {"died_again", "of the canary died again or were refused: the others were left alone", replay->died_again},
        {"message_gone", "left: Kafka holds the message no more", replay->gone},
        {"job_gone", "left: the job is gone", replay->job_gone},
    };
    bool json = replay->ctl->options.json;
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
        if (json)
            printf("%s\"%s\": %" PRId64, i ? ", " : "{", rows[i].name, rows[i].count);
        else if (rows[i].count || i == 0)
            printf("%" PRId64 " %s\n", rows[i].count, rows[i].text);
    }
    if (json)
        printf(", \"interrupted\": %s}\n", interrupted ? "true" : "false");
    else if (interrupted)
        printf("interrupted: run it again to go on\n");
}

static enum ctl_exit run(struct replay *replay)
{
    struct sl_err err = {0};
    bool ok = false;
    catch_signals();
    replay->arena = sl_arena_create(PAGE_BYTES_MAX);
    replay->canary_arena = sl_arena_create(PAGE_BYTES_MAX);
    replay->reader = dlq_reader_create(replay->ctl->config, &err);
    replay->publisher = replay->reader ? dlq_publisher_create(replay->ctl->config, &err) : NULL;
    if (replay->publisher) {
        ok = publish_all(replay, &err);
        progress(replay, true);
        print_end(replay);
    }
    dlq_publisher_destroy(replay->publisher);
    dlq_reader_destroy(replay->reader);
    sl_arena_destroy(replay->canary_arena);
    sl_arena_destroy(replay->arena);
    if (!ok)
        return ctl_fail(&err);
    bool found = interrupted || replay->died_again || replay->gone || replay->job_gone;
    bool is_done = replay->published || replay->closed || replay->under_way;
    return found || (!is_done && dlq_filter_names_nothing(replay->filter)) ? CTL_FOUND : CTL_DONE;
}

enum ctl_exit dlq_replay(struct ctl *ctl)
{
    struct sl_err err = {0};
    struct dlq_filter filter;
    struct replay replay = {.ctl = ctl, .filter = &filter};
    const struct options *options = &ctl->options;
    if (!dlq_filter_make(options, "open", sl_clock_wall_ms(), &filter, &err) ||
        !dlq_filter_is_meant(options, &filter, &err) ||
        !options_int(options, OPTION_LIMIT, NO_LIMIT, 1, NO_LIMIT, &replay.limit, &err) ||
        !options_int(options, OPTION_CANARY, 0, 0, CANARY_MAX, &replay.canary, &err) ||
        !options_int(options, OPTION_RATE, 0, 0, RATE_MAX, &replay.rate, &err) ||
        !options_int(options, OPTION_WAIT, CANARY_WAIT_S, 1, 3600, &replay.wait_s, &err)) {
        (void)ctl_fail(&err);
        return CTL_USAGE;
    }
    return options->dry_run ? dlq_dry_run(ctl, &filter, replay.limit) : run(&replay);
}
