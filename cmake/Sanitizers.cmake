# SLUICE_SANITIZE, SLUICE_FUZZ and SLUICE_COVERAGE. They hold for the whole build: code with and without
# instrumentation doesn't mix. SLUICE_TEST_ENVIRONMENT is what a test needs, so that a finding fails it.
set(SLUICE_TEST_ENVIRONMENT "SLUICE_SOURCE_DIR=${CMAKE_SOURCE_DIR}")

if(SLUICE_SANITIZE)
    add_compile_options(-fsanitize=${SLUICE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${SLUICE_SANITIZE})
    list(APPEND SLUICE_TEST_ENVIRONMENT
        "ASAN_OPTIONS=halt_on_error=1:abort_on_error=1:detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1"
        "UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_stacktrace=1"
        # What librdkafka, libcurl and the others do in their own code is theirs: they are not instrumented, so their
        # atomics are invisible. Their locks and threads count (tests/support/c11_threads.c).
        "TSAN_OPTIONS=halt_on_error=1:abort_on_error=1:second_deadlock_stack=1:ignore_noninstrumented_modules=1")
endif()

if(SLUICE_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "SLUICE_FUZZ needs clang: use `cmake --preset fuzz`, or set CMAKE_C_COMPILER")
    endif()
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()

if(SLUICE_COVERAGE)
    add_compile_options(--coverage -fprofile-update=atomic)
    add_link_options(--coverage)
endif()
