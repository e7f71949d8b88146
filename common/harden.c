/* harden.c - see harden.h. */
#include "common/harden.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common/admin.h"
#include "common/landlock.h"
#include "common/log.h"
#include "common/pg.h"
#include "common/seccomp.h"

#define SECTION        "sandbox"
#define PATH_BYTES_MAX 4096
#define FILE_SUFFIX    "_FILE"

extern char **environ;

/* What the C library, OpenSSL, curl and libpq read of a system after their start: names, addresses, authorities,
 * clocks, code that is loaded late. Those that a system has not are passed over. */
static const char *const SYSTEM_PATHS[] = {
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/etc/resolv.conf",
    "/run/systemd/resolve", /* where that file may be a link to */
    "/run/resolvconf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/passwd",
    "/etc/krb5.conf",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/usr/share/locale",
    "/etc/ld.so.cache",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/proc", /* Landlock itself keeps us from other processes' environment and memory */
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
    "/dev/urandom",
    "/dev/random",
};

/* Variables, beside every NAME_FILE, by which libraries are told of files. */
static const char *const FILE_VARIABLES[] = {"SSL_CERT_DIR",  "OPENSSL_CONF", "CURL_CA_BUNDLE", "PGSSLROOTCERT",
                                             "PGSSLCERT",     "PGSSLKEY",     "PGSSLCRL",       "PGPASSFILE",
                                             "PGSERVICEFILE", "PGSYSCONFDIR", "KRB5_CONFIG"};

/* Keys whose value is a file's path, or a folder's. */
static const struct {
    const char *section, *key;
} FILE_KEYS[] = {
    {"kafka", "ssl_ca"},          {"kafka", "ssl_certificate"}, {"kafka", "ssl_key"},
    {"ingress", "jwt_jwks_file"}, {"email", "templates"},
};

void sl_harden_process(void)
{
    const struct rlimit none = {0};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* A folder that holds far more than what we were told of: then the file alone is allowed. */
static bool is_common_folder(const char *path)
{
    static const char *const folders[] = {"/",    "/etc", "/root", "/home", "/var",
                                          "/run", "/tmp", "/usr",  "/opt",  "/srv"};
    for (size_t i = 0; i < SL_ARRAY_LEN(folders); i++) {
        if (strcmp(path, folders[i]) == 0)
            return true;
    }
    return false;
}

/* A file may be replaced by another of its name, so its folder is what is allowed. */
static void allow_file(struct sl_landlock *rules, const char *path)
{
    char text[PATH_BYTES_MAX];
    char folder[PATH_BYTES_MAX];
    struct stat status;
    if (!path || path[0] == '\0' || strlen(path) >= sizeof(text) || stat(path, &status) != 0)
        return;
    (void)snprintf(text, sizeof(text), "%s", path);
    if (!S_ISDIR(status.st_mode)) {
        char *slash = strrchr(text, '/');
        if (!slash)
            (void)snprintf(text, sizeof(text), ".");
        else
            slash[slash == text ? 1 : 0] = '\0';
    }
    char *real = realpath(text, NULL);
    bool is_wide = !real || strlen(real) >= sizeof(folder) || is_common_folder(real);
    (void)snprintf(folder, sizeof(folder), "%s", is_wide ? path : real);
    free(real);
    (void)sl_landlock_allow_path(rules, folder, SL_LANDLOCK_READ);
}

static void visit_file(void *rules, const char *path)
{
    allow_file(rules, path);
}

static bool ends_with(const char *text, size_t len, const char *end)
{
    size_t end_len = strlen(end);
    return len > end_len && memcmp(text + len - end_len, end, end_len) == 0;
}

static void allow_environment(struct sl_landlock *rules)
{
    char path[PATH_BYTES_MAX];
    const char *home = getenv("HOME");
    for (char **at = environ; *at; at++) {
        const char *equals = strchr(*at, '=');
        if (equals && ends_with(*at, (size_t)(equals - *at), FILE_SUFFIX))
            allow_file(rules, equals + 1);
    }
    for (size_t i = 0; i < SL_ARRAY_LEN(FILE_VARIABLES); i++)
        allow_file(rules, getenv(FILE_VARIABLES[i]));
    if (home && snprintf(path, sizeof(path), "%s/.postgresql", home) < (int)sizeof(path))
        allow_file(rules, path);
#ifdef SLUICE_FAULTS
    const char *fault_log = getenv("SLUICE_FAULT_LOG");
    const char *slash = fault_log ? strrchr(fault_log, '/') : NULL;
    if (slash && snprintf(path, sizeof(path), "%.*s", (int)(slash - fault_log), fault_log) < (int)sizeof(path))
        (void)sl_landlock_allow_path(rules, path, SL_LANDLOCK_READ_WRITE);
#endif
}

static void allow_configured(struct sl_landlock *rules, const struct sl_harden_options *options)
{
    const struct sl_config *config = options->config;
    char path[PATH_BYTES_MAX];
    for (size_t i = 0; i < SL_ARRAY_LEN(options->paths); i++)
        allow_file(rules, options->paths[i]);
    for (size_t i = 0; i < SL_ARRAY_LEN(FILE_KEYS); i++)
        allow_file(rules, sl_config_cstr(config, FILE_KEYS[i].section, FILE_KEYS[i].key));
    sl_pg_files(sl_config_cstr(config, "postgres", "url"), visit_file, rules);
    struct sl_str more = sl_config_text(config, SECTION, "read_paths");
    while (!sl_str_empty(more)) {
        struct sl_str item = sl_str_trim(sl_str_cut(&more, ','));
        if (item.len > 0 && item.len < sizeof(path)) {
            (void)snprintf(path, sizeof(path), "%" SL_STR_FMT, SL_STR_ARG(item));
            (void)sl_landlock_allow_path(rules, path, SL_LANDLOCK_READ);
        }
    }
}

static void allow_listens(struct sl_landlock *rules, const struct sl_harden_options *options)
{
    for (size_t i = 0; i < SL_HARDEN_LISTENS_MAX; i++) {
        struct sockaddr_storage address;
        if (!options->listens[i] || !sl_admin_parse_listen(options->listens[i], &address, NULL))
            continue;
        const struct sockaddr_in *four = (const struct sockaddr_in *)&address;
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&address;
        sl_landlock_allow_listen(rules, ntohs(address.ss_family == AF_INET6 ? six->sin6_port : four->sin_port));
    }
}

static bool limit_files(const struct sl_harden_options *options, struct sl_err *err)
{
    struct sl_landlock *rules = NULL;
    if (!sl_landlock_create(&rules, err))
        return false;
    for (size_t i = 0; i < SL_ARRAY_LEN(SYSTEM_PATHS); i++)
        (void)sl_landlock_allow_path(rules, SYSTEM_PATHS[i], SL_LANDLOCK_READ);
    (void)sl_landlock_allow_path(rules, "/dev/null", SL_LANDLOCK_READ_WRITE);
    allow_environment(rules);
    allow_configured(rules, options);
    allow_listens(rules, options);
    bool ok = sl_landlock_enforce(rules, err);
    sl_landlock_destroy(rules);
    return ok;
}

void sl_harden_sandbox(const struct sl_harden_options *options, struct sl_harden_report *ret_report)
{
    struct sl_err err = {0};
    *ret_report = (struct sl_harden_report){0};
    sl_harden_process();
    if (limit_files(options, &err))
        ret_report->landlock_version = sl_landlock_version();
    else
        (void)snprintf(ret_report->landlock_cause, sizeof(ret_report->landlock_cause), "%.127s", err.message);
    if (sl_seccomp_apply(&err))
        ret_report->refused_calls = sl_seccomp_count();
    else
        (void)snprintf(ret_report->seccomp_cause, sizeof(ret_report->seccomp_cause), "%.127s", err.message);
}

void sl_harden_serve(const struct sl_harden_options *options)
{
    struct sl_harden_report report;
    if (!sl_config_switch(options->config, SECTION, "enabled")) {
        sl_log(SL_LOG_WARN, SECTION, "switched off: files and system calls are not limited");
        return;
    }
    sl_harden_sandbox(options, &report);
    bool is_whole = report.landlock_version > 0 && report.refused_calls > 0;
    sl_log(is_whole ? SL_LOG_INFO : SL_LOG_WARN, SECTION, is_whole ? "in force" : "not all of it is in force",
           LOG_INT("landlock", report.landlock_version), LOG_INT("system_calls_refused", report.refused_calls),
           LOG_CSTR("landlock_cause", report.landlock_cause), LOG_CSTR("seccomp_cause", report.seccomp_cause));
}
