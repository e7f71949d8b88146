# shellcheck shell=bash
# Every test. Each runner writes JUnit XML to STATE/results; the last line of the output is the sum of them all.

SUITES=(unit tables lint proto io clouds fuzz tsan system torture)

cmd_test() {
    local suite suites=("$@")
    ((${#suites[@]} > 0)) || suites=("${SUITES[@]}")
    for suite in "${suites[@]}"; do
        [[ " ${SUITES[*]} " == *" ${suite} "* ]] || usage_error "there is no suite '${suite}': ${SUITES[*]}"
    done
    # systems of tests are their own, whatever the caller's shell says
    env_clear
    use_state "${SLUICE_DEV_DIR:-${TOOLS}/test}"
    PRESET="${SLUICE_PRESET:-asan}"
    export SLUICE_DEV_DIR="${STATE}" SLUICE_PRESET="${PRESET}"
    RESULTS="${STATE}/results"
    setup_all
    lock_take "${STATE}/test.lock" "testing"
    rm -rf "${RESULTS}"
    mkdir -p "${RESULTS}"
    trap test_clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    test_builds "${suites[@]}"
    if [[ -z "$(compgen -G "${RESULTS}/*.status")" ]]; then
        test_suites "${suites[@]}"
    fi
    test_clean_up
    /usr/bin/python3 "${ROOT}/scripts/dev/junit_sum.py" "${RESULTS}"
}

# The system's tests wait for servers much of their time: what the fuzzers need they find beside them.
test_suites() { # suites …
    local suite way=alone
    [[ " $* " != *" fuzz "* || " $* " != *" system "* ]] || way=beside
    for suite in "$@"; do
        case "${way} ${suite}" in
        "beside fuzz") ;;
        "beside system")
            test_fuzz_begin
            test_system
            test_fuzz_end
            ;;
        *) "test_${suite}" ;;
        esac
    done
}

# Whatever a test has left running, here or in the system of tests/system.
test_clean_up() {
    local dir
    trap - EXIT
    if [[ -n "${FUZZ_PID:-}" ]]; then
        kill -- "-${FUZZ_PID}" 2>/dev/null || true
    fi
    for dir in "${STATE}" "${STATE}"/*/ "${STATE}"/*/*/; do
        dir="${dir%/}"
        [[ ! -d "${dir}/run" ]] || SLUICE_DEV_DIR="${dir}" "${ROOT}/dev" down >/dev/null
    done
}

test_builds() { # suites …
    local suite preset presets=()
    for suite in "$@"; do
        case "${suite}" in
        unit | tables | io | system) presets+=("${PRESET}") ;;
        # what is shipped is looked at as it is shipped
        lint) presets+=("${PRESET}" release) ;;
        fuzz | tsan) presets+=("${suite}") ;;
        torture) presets+=(release) ;;
        proto | clouds) ;;
        esac
    done
    while IFS= read -r preset; do
        [[ -z "${preset}" ]] || test_run "build-${preset}" "${ROOT}/dev" build "${preset}"
    done < <(printf '%s\n' "${presets[@]}" | sort -u)
}

fuzz_compiler() {
    command -v clang || command -v clang-14 || die "clang is missing"
}

# A runner that fails without a failed test to show for it (it could not start, say) counts as one.
test_run() { # name of the results, command …
    local name="$1" status=0
    shift
    say "test" "${name}"
    "$@" </dev/null || status=$?
    if ((status != 0)); then
        printf '%s\n' "${status}" >"${RESULTS}/${name}.status"
    fi
}

test_ctest() { # name, preset, ctest's selection …
    local name="$1" preset="$2"
    shift 2
    test_run "${name}" ctest --test-dir "${ROOT}/build/${preset}" --output-on-failure --no-tests=error \
        --parallel "$(nproc)" --output-junit "${RESULTS}/${name}.xml" "$@"
}

test_pytest() { # name, pytest's arguments …
    local name="$1"
    shift
    test_run "${name}" env -C "${ROOT}" PYTHONPATH="${ROOT}/tests" PYTHONDONTWRITEBYTECODE=1 \
        "${VENV_PYTHON}" -m pytest -q -p no:cacheprovider --junitxml="${RESULTS}/${name}.xml" "$@"
}

test_unit() {
    test_ctest unit "${PRESET}" --label-regex '^unit$' --label-exclude '^(tables|io)$'
}

test_tables() {
    test_ctest tables "${PRESET}" --label-regex '^tables$'
}

test_lint() {
    test_ctest lint "${PRESET}" --label-regex '^lint$'
    test_ctest lint-release release --label-regex '^built$'
}

# What is committed first, the same every time; then each fuzzer for its minute, as many at a time as there are cores.
test_fuzz() {
    test_ctest fuzz-corpus fuzz --label-regex '^corpus$'
    test_ctest fuzz fuzz --label-regex '^fuzz$'
}

# The same beside other tests: one fuzzer at a time, in a session of its own with the least claim to the cores (where
# the kernel groups processes by session, niceness counts within a session only).
test_fuzz_begin() {
    test_ctest fuzz-corpus fuzz --label-regex '^corpus$'
    say "test" "fuzz, beside what follows"
    # shellcheck disable=SC2016 # the inner shell's own arguments
    setsid bash -c '{ echo 19 >/proc/self/autogroup; } 2>/dev/null; exec nice -n 19 "$@"' fuzz \
        ctest --test-dir "${ROOT}/build/fuzz" --output-on-failure --no-tests=error --label-regex '^fuzz$' \
        --output-junit "${RESULTS}/fuzz.xml" </dev/null >"${LOG_DIR}/fuzz.log" 2>&1 &
    FUZZ_PID=$!
}

test_fuzz_end() {
    local status=0
    say "test" "fuzz, to its end"
    wait "${FUZZ_PID}" || status=$?
    FUZZ_PID=
    cat "${LOG_DIR}/fuzz.log"
    ((status == 0)) || printf '%s\n' "${status}" >"${RESULTS}/fuzz.status"
}

# Data races: the unit tests with threads, and some of the system tests, in which all programs run with many threads at
# once. A program that sees a race says so in a file and stops; one that was to stop anyway would go unnoticed without.
TSAN_UNIT='^(mailbox|log|metrics|http|http_sharing|admin|kafka|console_hub|console_hub_histories|web_peer|ingress_(directory|publisher|intake|server))_test$'
TSAN_SYSTEM='main_story or refusals or test_90_crashes or test_80_console'
test_tsan() {
    local reports="${STATE}/tsan/reports" options="${TSAN_OPTIONS:-}"
    rm -rf "${reports}"
    mkdir -p "${reports}"
    options="halt_on_error=1:exitcode=66:second_deadlock_stack=1:ignore_noninstrumented_modules=1:${options}"
    test_ctest tsan-unit tsan --label-regex '^unit$' --tests-regex "${TSAN_UNIT}"
    SLUICE_PRESET=tsan SLUICE_DEV_DIR="${STATE}/tsan" TSAN_OPTIONS="${options}:log_path=${reports}/race" \
        test_pytest tsan-system tests/system -k "${TSAN_SYSTEM}"
    test_run tsan-races tsan_no_reports "${reports}"
}

tsan_no_reports() { # folder
    local file status=0
    for file in "$1"/*; do
        [[ -e "${file}" ]] || continue
        cat "${file}" >&2
        status=1
    done
    return "${status}"
}

# The written interfaces: proto/ and its examples.
test_proto() {
    test_pytest proto tests/proto
}

test_clouds() {
    test_pytest clouds tests/clouds
}

# Tests of single modules against real servers, whose addresses they find in their environment.
test_io() {
    test_run io-servers "${ROOT}/dev" start postgres kafka
    if [[ ! -f "${RESULTS}/io-servers.status" ]]; then
        # shellcheck disable=SC1090
        (. "${ENV_FILE}" && test_ctest io "${PRESET}" --label-regex '^io$')
    fi
    test_run io-down "${ROOT}/dev" down
}

test_system() {
    test_pytest system tests/system
}

# The engine's own tests, then the short form on the programs as they are shipped.
test_torture() {
    test_pytest torture-engine tests/torture
    test_run torture env SLUICE_DEV_DIR="${STATE}/torture" SLUICE_PRESET=release "${ROOT}/dev" torture --short \
        --junit "${RESULTS}/torture.xml"
}
