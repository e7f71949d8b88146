# shellcheck shell=bash
# Secrets and the environment of the programs. Two files come of it:
#
#   STATE/env          for people and tests, sourced by a shell: the environment of the programs, and where things are
#   RUN_DIR/programs   the environment that our programs are started with, by `up` and later by `start` alike
#
# What the caller has set of the contract's names goes before our own: a real cloud, somebody else's simulator, a
# database elsewhere. What equals our own (an .dev/env that was sourced) counts as ours.
# shellcheck disable=SC2034 # read by name

# The base URL of each cloud: its simulation, and what comes after its host and port. They are always set, whether the
# simulation runs or not: what is started here never calls a real cloud that nobody has named.
declare -A CLOUD_URLS=(
    [HCLOUD_ENDPOINT]="hetzner /v1" [TAILSCALE_BASE_URL]="tailscale" [GITHUB_API_URL]="github"
    [STRIPE_API_BASE]="stripe" [RESEND_BASE_URL]="resend" [DOKKU_PROVISIONER_URL]="provisioner"
    [GRAPH_BASE_URL]="graph"
)

# families of names that programs read; a name of them that the caller has set is taken over
CALLERS_NAMES='^(SLUICE|KAFKA|STRIPE|GITHUB|HCLOUD|TAILSCALE|DOKKU|RESEND|GRAPH|POSTHOG)_[A-Z0-9_]+$'
CALLERS_NAMES+='|^(DATABASE_URL|APP_URL|EMAIL_FROM|ADMIN_EMAIL|PROVISIONER_API_KEY|DASHBOARD_WEBHOOK_SECRET)(_FILE)?$'

# names that are for ./dev and its users: programs would take them for keys of their configuration
DEV_NAMES=(SLUICE_INGRESS_URL SLUICE_CONSOLE_URL SLUICE_CLOUDS_CONTROL_URL SLUICE_PRESET SLUICE_DEV_DIR
    SLUICE_DEV_KAFKA_LISTENERS SLUICE_DEV_WAL_DIR SLUICE_DEV_WAL_SIZE)

secret_of() { # name: prints it; made once for a STATE
    local secret
    secret="$(file_get "${STATE}/secrets" "$1")"
    if [[ -z "${secret}" ]]; then
        secret="$(secret_new "$1")"
        (umask 077 && file_add "${STATE}/secrets" "$1" "${secret}")
    fi
    printf '%s' "${secret}"
}

secret_new() { # name
    case "$1" in
    STRIPE_WEBHOOK_SECRET) printf 'whsec_%s' "$(random_hex 16)" ;;
    # Standard Webhooks: the key in base64 after whsec_
    DASHBOARD_WEBHOOK_SECRET) printf 'whsec_%s' "$(head -c 24 /dev/urandom | base64)" ;;
    # as long as a real token
    HCLOUD_TOKEN) random_hex 32 ;;
    SLUICE_DATA_KEYS) printf 'dev1:%s' "$(head -c 32 /dev/urandom | base64 -w0)" ;;
    STRIPE_SECRET_KEY) printf 'sk_test_%s' "$(random_hex 16)" ;;
    *) random_hex 32 ;;
    esac
}

# What was not the caller's to set, and is ours therefore: kept with the environment, so that it is told apart later.
OUR_NAMES=()
our() { # name, value: sets the value unless the name is set, or NAME_FILE for a secret
    local file_name="$1_FILE"
    if [[ -z "${!1:-}" && -z "${!file_name:-}" ]]; then
        printf -v "$1" '%s' "$2"
        export "${1?}"
        is_ours "$1" || OUR_NAMES+=("$1")
    fi
}

is_ours() { # name
    [[ " ${OUR_NAMES[*]} " == *" $1 "* ]]
}

# For `up`: the caller's environment, completed.
env_of_caller() {
    local name ours
    # whoever has sourced the file of an earlier time has set nothing by it
    ours="$(file_get "${RUN_DIR}/ours" OURS)"
    for name in ${ours}; do
        [[ "${!name:-}" != "$(file_get "${ENV_FILE}" "${name}")" ]] || unset "${name}"
    done
    env_complete
}

# For the verbs after it: the environment that `up` (or the first `start`) has written, whatever the caller's is now.
env_of_system() {
    local preset="${SLUICE_PRESET:-}"
    if [[ -f "${RUN_DIR}/programs" && -f "${ENV_FILE}" ]]; then
        # shellcheck disable=SC1090
        . "${ENV_FILE}"
        read -ra OUR_NAMES <<<"$(file_get "${RUN_DIR}/ours" OURS)"
        PRESET="${preset:-${SLUICE_PRESET}}"
    else
        env_complete
        env_write
    fi
}

env_complete() {
    local name cloud path
    SLUICE_PRESET="${PRESET}"
    SLUICE_DEV_DIR="${STATE}"
    SLUICE_INGRESS_URL="http://127.0.0.1:$(port_of INGRESS_PORT)"
    SLUICE_CONSOLE_URL="http://127.0.0.1:$(port_of CONSOLE_PORT)"
    our DATABASE_URL "$(postgres_url owner)"
    our KAFKA_BROKERS "127.0.0.1:$(port_of KAFKA_PORT)"
    our APP_URL "${SLUICE_INGRESS_URL}"
    for name in STRIPE_WEBHOOK_SECRET GITHUB_CALLBACK_SECRET GITHUB_WEBHOOK_SECRET DASHBOARD_WEBHOOK_SECRET \
        SLUICE_JWT_SECRET STRIPE_SECRET_KEY GITHUB_PAT HCLOUD_TOKEN RESEND_API_KEY PROVISIONER_API_KEY \
        SLUICE_DATA_KEYS SLUICE_CONSOLE_TOKEN; do
        our "${name}" "$(secret_of "${name}")"
    done
    if [[ -z "${TAILSCALE_OAUTH_CLIENT_ID:-}${TAILSCALE_OAUTH_CLIENT_ID_FILE:-}" ]]; then
        our TAILSCALE_API_KEY "$(secret_of TAILSCALE_API_KEY)"
    fi
    for name in "${!CLOUD_URLS[@]}"; do
        read -r cloud path <<<"${CLOUD_URLS[${name}]}"
        our "${name}" "http://127.0.0.1:$(cloud_port "${cloud}")${path}"
    done
    SLUICE_CLOUDS_CONTROL_URL="http://127.0.0.1:$(cloud_port control)"
    our TAILSCALE_TAILNET example.org
    our GITHUB_REPO_OWNER sluice-example
    our GITHUB_REPO_NAME agents
    our GITHUB_WORKFLOW provision-agent.yml
    our GITHUB_REF main
    our STRIPE_PRICE_STARTER price_starter
    our STRIPE_PRICE_PRO price_professional
    our STRIPE_PRICE_ENTERPRISE price_enterprise
    our STRIPE_PRICE_UNLIMITED price_unlimited
    our STRIPE_PRICE_WORKSPACE price_workspace
    our EMAIL_FROM 'Sluice <sluice@example.org>'
    our ADMIN_EMAIL ops@example.org
}

# Whether a cloud is left that the caller has not named: then the simulated ones are started.
clouds_are_ours() {
    local name
    for name in "${!CLOUD_URLS[@]}"; do
        ! is_ours "${name}" || return 0
    done
    return 1
}

cloud_port() { # cloud, or control: prints the port of its simulation
    port_of "CLOUD_${1^^}_PORT"
}

env_names() { # prints the names of the programs' environment
    local name
    while IFS= read -r name; do
        if [[ "${name}" =~ ${CALLERS_NAMES} && " ${DEV_NAMES[*]} " != *" ${name} "* ]]; then
            printf '%s\n' "${name}"
        fi
    done < <(compgen -e | LC_ALL=C sort)
}

env_lines() { # names …: prints those that are set as lines for a shell
    local name
    for name in "$@"; do
        [[ -z "${!name:-}" ]] || printf 'export %s=%q\n' "${name}" "${!name}"
    done
}

env_write() {
    local names
    mapfile -t names < <(env_names)
    (
        umask 077
        {
            printf '# The environment of the programs. Written by ./dev.\n'
            env_lines "${names[@]}"
        } >"${RUN_DIR}/programs.new"
        {
            printf '# A system of ./dev: source this file. Written by ./dev.\n'
            env_lines "${names[@]}" "${DEV_NAMES[@]}"
        } >"${ENV_FILE}.new"
        printf 'OURS=%q\n' "${OUR_NAMES[*]}" >"${RUN_DIR}/ours"
    )
    mv "${RUN_DIR}/programs.new" "${RUN_DIR}/programs"
    mv "${ENV_FILE}.new" "${ENV_FILE}"
}

# Forgets whatever the caller has set of the programs' environment: tests and benchmarks bring their own.
env_clear() {
    local name
    while IFS= read -r name; do
        unset "${name}"
    done < <(env_names)
}
