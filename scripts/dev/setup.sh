# shellcheck shell=bash
# What the machine lacks: Debian packages, the Kafka broker's jars, the Python environment. Each step is skipped when
# it was done before. Everything but the packages goes to TOOLS.

# One line for one need. Alternatives stand after a |, the first that the archive has is taken.
PACKAGES=(
    ca-certificates curl gcc libc6-dev binutils cmake ninja-build pkg-config
    librdkafka-dev libcurl4-openssl-dev libjansson-dev libpq-dev libssl-dev libmicrohttpd-dev libinih-dev libjwt-dev
    libcmocka-dev groff-base python3 python3-venv maven "openjdk-17-jre-headless|default-jre-headless" postgresql
)
# shellcheck disable=SC2034 # test.sh and ./dev use it
PACKAGES_FUZZ=("clang-14|clang" "libclang-rt-14-dev|libclang-rt-dev|clang")
# shellcheck disable=SC2034 # check.sh uses it
PACKAGES_CHECK=("clang-14|clang" "clang-tidy-14|clang-tidy" "clang-tools-14|clang-tools" cppcheck)

setup_all() {
    local lock
    state_prepare
    lock_take "${TOOLS}/setup.lock" "setting up"
    lock="${LOCK_FD}"
    setup_packages "${PACKAGES[@]}"
    setup_kafka_jars
    setup_venv
    lock_release "${lock}"
}

# What one part needs to start, without looking at all the rest.
setup_for() { # part
    case "$1" in
    kafka) kafka_complete || setup_all ;;
    postgres) [[ -n "$(compgen -G '/usr/lib/postgresql/*/bin/postgres')" ]] || setup_all ;;
    clouds) venv_complete || setup_all ;;
    esac
}

package_installed() { # package
    [[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" == installed ]]
}

need_met() { # package|package…
    local package
    for package in ${1//|/ }; do
        ! package_installed "${package}" || return 0
    done
    return 1
}

setup_packages() { # needs …
    local need missing=()
    command -v dpkg-query >/dev/null || die "this script installs what it needs by apt: Debian 12 or later, or Ubuntu 24.04 or later"
    for need in "$@"; do
        need_met "${need}" || missing+=("${need}")
    done
    if ((${#missing[@]} == 0)); then
        say "packages" "$# there"
        return 0
    fi
    setup_packages_install "${missing[@]}"
    for need in "${missing[@]}"; do
        need_met "${need}" || die "apt has not installed ${need}"
    done
}

as_root() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "packages have to be installed, and there is neither root nor sudo: apt-get install ${missing[*]:-}"
    fi
}

setup_packages_install() { # missing needs …
    local need package found missing=("$@") chosen=() no_cluster=/etc/postgresql-common/createcluster.d/sluice-setup.conf
    say "packages" "installing ${missing[*]}"
    quietly "${LOG_DIR}/apt-update.log" as_root apt-get update -q || die "apt-get update failed"
    for need in "${missing[@]}"; do
        found=''
        for package in ${need//|/ }; do
            [[ -n "${found}" || -z "$(apt-cache madison "${package}" 2>/dev/null)" ]] || found="${package}"
        done
        [[ -n "${found}" ]] || die "the package archive has no ${need}"
        chosen+=("${found}")
    done
    # Debian's package makes and starts a cluster on port 5432 when it is installed. We have our own, and a machine
    # where it was not wanted shall not get it: the setting stands for the time of this installation.
    as_root mkdir -p "${no_cluster%/*}"
    as_root sh -c "echo 'create_main_cluster = false' >'${no_cluster}'"
    local status=0
    quietly "${LOG_DIR}/apt-install.log" as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "${chosen[@]}" || status=$?
    as_root rm -f "${no_cluster}"
    ((status == 0)) || die "apt-get install failed"
}

# What stands in a .complete file: what was asked for, and what is there.
kafka_stamp() {
    local jars=("${TOOLS}"/kafka/libs/*.jar)
    printf '%s %s' "$(sha256sum <"${ROOT}/scripts/dev/kafka-pom.xml" | cut -c 1-64)" "${#jars[@]}"
}

kafka_complete() {
    [[ "$(cat "${TOOLS}/kafka/libs/.complete" 2>/dev/null)" == "$(kafka_stamp)" ]]
}

setup_kafka_jars() {
    local libs="${TOOLS}/kafka/libs" stamp
    if kafka_complete; then
        stamp="$(kafka_stamp)"
        say "kafka" "${stamp##* } jars there"
        return 0
    fi
    say "kafka" "fetching the broker's jars"
    rm -rf "${libs}.new"
    mkdir -p "${libs}.new"
    quietly "${LOG_DIR}/maven.log" mvn --batch-mode --no-transfer-progress -f "${ROOT}/scripts/dev/kafka-pom.xml" \
        dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=${libs}.new" \
        || die "maven could not fetch the broker's jars"
    compgen -G "${libs}.new/kafka_2.13-*.jar" >/dev/null || die "maven fetched no kafka_2.13 jar"
    rm -rf "${libs}"
    mv "${libs}.new" "${libs}"
    stamp="$(kafka_stamp)"
    printf '%s\n' "${stamp}" >"${libs}/.complete"
    say "kafka" "${stamp##* } jars"
}

venv_stamp() {
    printf '%s %s %s' "$(sha256sum <"${ROOT}/tests/requirements.txt" | cut -c 1-64)" \
        "$(/usr/bin/python3 --version)" "${TOOLS}/venv"
}

venv_complete() {
    [[ "$(cat "${TOOLS}/venv/.complete" 2>/dev/null)" == "$(venv_stamp)" ]]
}

setup_venv() {
    local venv="${TOOLS}/venv" stamp
    [[ -f "${ROOT}/tests/requirements.txt" ]] || die "tests/requirements.txt is missing"
    if venv_complete; then
        say "python" "environment there"
        return 0
    fi
    say "python" "installing what tests/requirements.txt names into .dev/venv"
    stamp="$(venv_stamp)"
    # one that is there is kept: something that runs may be using it
    if [[ "$(cat "${venv}/.complete" 2>/dev/null)" != *" ${stamp#* }" ]]; then
        rm -rf "${venv}"
        quietly "${LOG_DIR}/venv.log" /usr/bin/python3 -m venv "${venv}" || die "python3 -m venv failed"
    fi
    quietly "${LOG_DIR}/pip.log" "${venv}/bin/python" -m pip install --quiet -r "${ROOT}/tests/requirements.txt" \
        || die "pip could not install tests/requirements.txt"
    printf '%s\n' "${stamp}" >"${venv}/.complete"
}
