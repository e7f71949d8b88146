# shellcheck shell=bash
# Looking for faults without running anything, and fuzzing for longer than ./dev test does.

CHECKED='common|web|ingress|worker|console|ctl' # folders; the tests are looked at by the compilers' warnings alone

# Each tool is run whatever the others found, and says how long it took. It fails if any of them has found something.
cmd_check() {
    local tool tools=("$@") status=0 began
    ((${#tools[@]} > 0)) || tools=(analyzer tidy cppcheck)
    for tool in "${tools[@]}"; do
        [[ "${tool}" =~ ^(analyzer|tidy|cppcheck)$ ]] || usage_error "there is no check '${tool}': analyzer tidy cppcheck"
    done
    setup_all
    setup_packages "${PACKAGES_CHECK[@]}"
    check_configure
    for tool in "${tools[@]}"; do
        began="${SECONDS}"
        if "check_${tool}"; then
            say "check" "${tool}: clean, in $((SECONDS - began)) s"
        else
            warn "${tool} has found something, see above (after $((SECONDS - began)) s)"
            status=1
        fi
    done
    return "${status}"
}

# What stands in build/check/compile_commands.json is how clang compiles the programs.
check_configure() {
    local generated
    CHECK_DIR="${ROOT}/build/check"
    mkdir -p "${CHECK_DIR}"
    quietly "${LOG_DIR}/check-configure.log" cmake -S "${ROOT}" -B "${CHECK_DIR}" -G Ninja -DSLUICE_TESTS=OFF \
        -DCMAKE_BUILD_TYPE=Debug "-DCMAKE_C_COMPILER=$(fuzz_compiler)" || die "cmake could not configure build/check"
    # sources that are made, not written: the tools miss them where they are not there
    mapfile -t generated < <(cmake --build "${CHECK_DIR}" -- -t targets all \
        | sed -n 's/^\([^/].*_data\.c\): CUSTOM_COMMAND$/\1/p')
    quietly "${LOG_DIR}/check-configure.log" cmake --build "${CHECK_DIR}" --target "${generated[@]}" \
        || die "what is generated could not be made"
}

# gcc's own analysis of paths through a function and the functions it calls.
check_analyzer() {
    local dir="${ROOT}/build/analyzer"
    mkdir -p "${dir}"
    quietly "${LOG_DIR}/check-analyzer.log" cmake -S "${ROOT}" -B "${dir}" -G Ninja -DSLUICE_TESTS=OFF -DSLUICE_WERROR=ON \
        -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=gcc "-DCMAKE_C_FLAGS=-fanalyzer" || return 1
    quietly "${LOG_DIR}/check-analyzer.log" cmake --build "${dir}" --parallel "$(nproc)" -- -k 0
}

# The checks and the reasons against some are in .clang-tidy.
check_tidy() {
    local runner
    runner="$(command -v run-clang-tidy || command -v run-clang-tidy-14)" || die "run-clang-tidy is missing"
    quietly "${LOG_DIR}/check-tidy.log" "${runner}" -quiet -j "$(nproc)" -p "${CHECK_DIR}" "^${ROOT}/(${CHECKED})/.*"
}

check_cppcheck() {
    quietly "${LOG_DIR}/check-cppcheck.log" cppcheck "--project=${CHECK_DIR}/compile_commands.json" -j "$(nproc)" --quiet \
        --std=c11 --enable=warning,performance,portability --inline-suppr --library=posix --error-exitcode=1 \
        "--cppcheck-build-dir=${CHECK_DIR}" -i "${CHECK_DIR}"
}

cmd_fuzz() { # TARGET [--minutes N]
    local target="${1:-}" minutes=60 options=()
    shift || true
    while (($# > 0)); do
        case "$1" in
        --minutes)
            [[ "${2:-}" =~ ^[1-9][0-9]*$ ]] || usage_error "--minutes wants a number"
            minutes="$2"
            shift 2
            ;;
        *) usage_error "fuzz knows no '$1'" ;;
        esac
    done
    (cmd_build fuzz)
    target="fuzz_${target#fuzz_}"
    if [[ ! -f "${ROOT}/build/fuzz/fuzz/${target}.options" ]]; then
        usage_error "which fuzzer? $(cd "${ROOT}/build/fuzz/fuzz" && printf '%s ' fuzz_*.options | sed 's/[.]options//g')"
    fi
    mapfile -t options <"${ROOT}/build/fuzz/fuzz/${target}.options"
    cd "${ROOT}"
    ASAN_OPTIONS=halt_on_error=1:abort_on_error=1:detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1 \
        UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_stacktrace=1 \
        exec "build/fuzz/fuzz/${target}" "-max_total_time=$((minutes * 60))" -print_final_stats=1 "${options[@]}"
}
