# shellcheck shell=bash
# A PostgreSQL cluster of our own, from the binaries of Debian's package, on loopback. It is as durable as one in
# production (fsync on), because the tests kill it. There is no Unix socket: paths under STATE may be too long for one.

POSTGRES_OWNER=postgres # the package's user, when we are root: the server refuses to run as root

postgres_bin() { # prints the folder of the newest installed version
    local found
    found="$(find /usr/lib/postgresql -mindepth 3 -maxdepth 3 -path '*/bin/postgres' | sort -V | tail -n 1)"
    [[ -n "${found}" ]] || die "no PostgreSQL server under /usr/lib/postgresql"
    printf '%s' "${found%/postgres}"
}

# The command line that runs the rest as an unprivileged user: nothing, where we are one. It executes in place,
# so that the pid is the server's.
postgres_as() {
    AS=()
    ((EUID != 0)) || AS=(setpriv "--reuid=${POSTGRES_OWNER}" "--regid=${POSTGRES_OWNER}" --init-groups --)
}

# STATE/postgres is the data's folder; where the server's user can't get to it, a link to a folder where it can.
postgres_home() {
    local home="${STATE}/postgres" elsewhere
    if [[ -e "${home}/." ]]; then
        return 0
    fi
    rm -f "${home}"
    if "${AS[@]}" test -x "${STATE}"; then
        mkdir "${home}"
    else
        elsewhere="/var/tmp/sluice-$(id -u)-$(printf '%s' "${STATE}" | sha256sum | cut -c 1-12)"
        say "postgres" "its user has no way into ${STATE}: the data goes to ${elsewhere}"
        mkdir -p "${elsewhere}" && chmod 711 "${elsewhere}"
        [[ -O "${elsewhere}" && ! -L "${elsewhere}" ]] || die "${elsewhere} is not ours"
        # what may be there is of a STATE that was removed, and its passwords with it
        rm -rf "${elsewhere}/postgres"
        mkdir "${elsewhere}/postgres"
        ln -s "${elsewhere}/postgres" "${home}"
    fi
    ((EUID != 0)) || chown "${POSTGRES_OWNER}:" "$(realpath "${home}")"
    chmod 700 "$(realpath "${home}")"
}

postgres_prepare() {
    local home bin wal=()
    bin="$(postgres_bin)"
    postgres_as
    postgres_home
    home="$(realpath "${STATE}/postgres")"
    if [[ -n "${SLUICE_DEV_WAL_DIR:-}" ]]; then
        wal=("--waldir=${SLUICE_DEV_WAL_DIR}")
    fi
    if [[ ! -f "${home}/data/.complete" ]]; then
        say "postgres" "making its cluster ($("${bin}/postgres" --version))"
        rm -rf "${home}/data"
        secret_of POSTGRES_ADMIN_PASSWORD | postgres_write "${home}/password"
        # -C /: it wants to be in a folder that its user may enter
        quietly "${LOG_DIR}/initdb.log" env -C / "${AS[@]}" "${bin}/initdb" \
            --pgdata="${home}/data" --username=postgres "--pwfile=${home}/password" --auth=scram-sha-256 \
            --encoding=UTF8 --locale=C.UTF-8 --data-checksums "${wal[@]}" || die "initdb failed"
        rm -f "${home}/password"
        "${AS[@]}" touch "${home}/data/.complete"
    fi
    postgres_settings | postgres_write "${home}/postgresql.conf"
}

postgres_write() { # file: writes the input to it as the server's user
    # shellcheck disable=SC2016 # the inner shell expands it
    "${AS[@]}" sh -c 'umask 077 && cat >"$1"' sh "$1"
}

postgres_settings() {
    cat <<SETTINGS
# Written by ./dev at each start.
listen_addresses = '127.0.0.1'
port = $(port_of POSTGRES_PORT)
unix_socket_directories = ''
fsync = on
synchronous_commit = on
full_page_writes = on
max_connections = 100
shared_buffers = 128MB
max_wal_size = ${SLUICE_DEV_WAL_SIZE:-1GB}
log_line_prefix = '%m [%p] %q%a '
log_min_duration_statement = 2s
log_lock_waits = on
# which transaction came first, for those who check the books from outside
track_commit_timestamp = on
timezone = 'UTC'
SETTINGS
}

postgres_start() {
    local home
    postgres_prepare
    home="$(realpath "${STATE}/postgres")"
    # a server that was killed counts as running for as long as nobody has reaped it
    wait_until 15 postgres_reaped "${home}/data/postmaster.pid" || true
    process_spawn postgres env -C / "${AS[@]}" "$(postgres_bin)/postgres" -D "${home}/data" \
        -c "config_file=${home}/postgresql.conf"
    process_ready postgres 60 postgres_ready
    [[ "${READY_WAITS}" == false ]] || postgres_make_database
}

postgres_reaped() { # the lock file that a killed server has left
    local pid
    pid="$("${AS[@]}" head -n 1 "$1" 2>/dev/null)" || return 0
    [[ ! -e "/proc/${pid}" ]]
}

postgres_ready() {
    "$(postgres_bin)/pg_isready" -q -h 127.0.0.1 -p "$(port_of POSTGRES_PORT)" -d postgres
}

postgres_admin() { # psql's arguments …
    PGPASSWORD="$(secret_of POSTGRES_ADMIN_PASSWORD)" "$(postgres_bin)/psql" --no-psqlrc --quiet --tuples-only \
        --no-align --set=ON_ERROR_STOP=1 -h 127.0.0.1 -p "$(port_of POSTGRES_PORT)" -U postgres -d postgres "$@"
}

# The database and a role for each program, by the file that an installation uses. Passwords go by the environment:
# arguments are everybody's to read.
postgres_make_database() {
    local program
    [[ "$(postgres_admin -c "SELECT count(*) FROM pg_roles WHERE rolname IN ('sluice_owner', 'sluice_worker', \
        'sluice_console', 'sluice_ctl')")" != 4 ]] || return 0
    say "postgres" "making the database sluice, and the programs' roles"
    (
        for program in owner worker console ctl; do
            export "ROLE_PASSWORD_${program^^}=$(postgres_password "${program}")"
        done
        {
            printf '\\getenv %s_password ROLE_PASSWORD_%s\n' owner OWNER worker WORKER console CONSOLE ctl CTL
            cat "${ROOT}/deploy/postgres/roles.sql"
        } | quietly "${LOG_DIR}/roles.log" postgres_admin --set=database=sluice --file=- || exit 1
    ) || die "the programs' roles could not be made"
}

postgres_password() { # owner, worker, console or ctl
    case "$1" in
    owner) secret_of POSTGRES_PASSWORD ;;
    *) secret_of "POSTGRES_${1^^}_PASSWORD" ;;
    esac
}

# What a role's clients are told: the URL of a system whose database is ours. Tests and people are the owner.
postgres_url() { # owner, worker, console or ctl
    printf 'postgresql://sluice_%s:%s@127.0.0.1:%s/sluice' "$1" "$(postgres_password "$1")" "$(port_of POSTGRES_PORT)"
}
