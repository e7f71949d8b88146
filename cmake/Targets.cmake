# The functions that the folders' CMakeLists.txt use:
#
#   sluice_library(NAME SOURCES file… DEPS target…)     static library libNAME.a; DEPS are passed on to its users
#   sluice_program(NAME SOURCES file… DEPS target…)     program bin/NAME
#   sluice_unit_test(NAME SOURCES file… DEPS target…)   cmocka program and ctest entry NAME, label "unit"; run in the
#                                                       root of the repository; LABELS adds more, TIMEOUT seconds (60)
#   sluice_io_test(…)                                   the same with the label "io" instead: it needs real servers and
#                                                       finds them in DATABASE_URL and KAFKA_BROKERS (./dev test io)
#   sluice_fuzzer(NAME SOURCES file… DEPS target… [CORPUS folder] [DICTIONARY file] [BYTES_MAX of an input (4096)])
#                                                       libFuzzer program fuzz/NAME and ctest entry, label "fuzz", and
#                                                       NAME_corpus, label "corpus": what is committed in CORPUS, once;
#                                                       nothing at all without SLUICE_FUZZ
#
# A name in DEPS is a target of ours, or a package of Dependencies.cmake: rdkafka, libcurl, jansson, libpq, openssl,
# libmicrohttpd, inih, libjwt, cmocka. #include paths start at the root of the repository: "common/err.h".
set(SLUICE_FUZZ_SECONDS 60 CACHE STRING "How long ctest runs one fuzzer, in seconds")

add_library(sluice_flags INTERFACE)
target_link_libraries(sluice_flags INTERFACE sluice_warnings sluice_hardening Threads::Threads)
target_include_directories(sluice_flags INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_definitions(sluice_flags INTERFACE _GNU_SOURCE SLUICE_VERSION="${PROJECT_VERSION}"
    $<$<BOOL:${SLUICE_FAULTS}>:SLUICE_FAULTS=1>)

function(_sluice_resolve ret_targets)
    set(targets "")
    foreach(dependency IN LISTS ARGN)
        if(TARGET PkgConfig::${dependency})
            list(APPEND targets PkgConfig::${dependency})
        else()
            list(APPEND targets ${dependency})
        endif()
    endforeach()
    set(${ret_targets} "${targets}" PARENT_SCOPE)
endfunction()

macro(_sluice_arguments function_name one_value)
    cmake_parse_arguments(PARSE_ARGV 1 ARG "" "${one_value}" "SOURCES;DEPS;LABELS")
    if(ARG_UNPARSED_ARGUMENTS OR NOT ARG_SOURCES)
        message(FATAL_ERROR "${function_name}(${NAME}): SOURCES is needed, and not known: ${ARG_UNPARSED_ARGUMENTS}")
    endif()
    _sluice_resolve(targets ${ARG_DEPS})
endmacro()

# What an executable is made of beside its own sources.
set(SLUICE_EXECUTABLE_SOURCES "")
if(SLUICE_SANITIZE MATCHES "thread")
    list(APPEND SLUICE_EXECUTABLE_SOURCES "${CMAKE_SOURCE_DIR}/tests/support/c11_threads.c")
endif()

function(sluice_library NAME)
    _sluice_arguments(sluice_library "")
    add_library(${NAME} STATIC ${ARG_SOURCES})
    target_link_libraries(${NAME} PUBLIC ${targets} PRIVATE sluice_flags)
endfunction()

function(sluice_program NAME)
    _sluice_arguments(sluice_program "")
    add_executable(${NAME} ${ARG_SOURCES} ${SLUICE_EXECUTABLE_SOURCES})
    target_link_libraries(${NAME} PRIVATE ${targets} sluice_flags)
    set_property(GLOBAL APPEND PROPERTY SLUICE_PROGRAMS ${NAME})
endfunction()

function(_sluice_cmocka_test NAME label)
    if(NOT ARG_TIMEOUT)
        set(ARG_TIMEOUT 60)
    endif()
    add_executable(${NAME} ${ARG_SOURCES} ${SLUICE_EXECUTABLE_SOURCES})
    target_link_libraries(${NAME} PRIVATE ${targets} PkgConfig::cmocka sluice_flags)
    set_target_properties(${NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/unit")
    add_test(NAME ${NAME} COMMAND ${NAME} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
    set_tests_properties(${NAME} PROPERTIES LABELS "${label};${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT}
        ENVIRONMENT "${SLUICE_TEST_ENVIRONMENT}")
endfunction()

function(sluice_unit_test NAME)
    _sluice_arguments(sluice_unit_test "TIMEOUT")
    _sluice_cmocka_test(${NAME} unit)
endfunction()

function(sluice_io_test NAME)
    _sluice_arguments(sluice_io_test "TIMEOUT")
    _sluice_cmocka_test(${NAME} io)
endfunction()

# All fuzzers, and nothing that they don't need: what the preset `fuzz` builds.
if(SLUICE_FUZZ)
    add_custom_target(fuzzers)
endif()

function(sluice_fuzzer NAME)
    if(NOT SLUICE_FUZZ)
        return()
    endif()
    _sluice_arguments(sluice_fuzzer "CORPUS;DICTIONARY;BYTES_MAX")
    if(NOT ARG_BYTES_MAX)
        set(ARG_BYTES_MAX 4096)
    endif()
    add_executable(${NAME} ${ARG_SOURCES})
    target_link_libraries(${NAME} PRIVATE ${targets} sluice_flags)
    target_link_options(${NAME} PRIVATE -fsanitize=fuzzer)
    add_dependencies(fuzzers ${NAME})
    set_target_properties(${NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/fuzz")
    # What is found new goes to the build directory; the seeds in the repository are only read.
    set(found "${CMAKE_BINARY_DIR}/fuzz/corpus/${NAME}")
    file(MAKE_DIRECTORY "${found}")
    set(options -max_len=${ARG_BYTES_MAX} -timeout=20 -rss_limit_mb=2048
        -artifact_prefix=${CMAKE_BINARY_DIR}/fuzz/${NAME}-)
    if(ARG_DICTIONARY)
        get_filename_component(dictionary "${ARG_DICTIONARY}" ABSOLUTE)
        list(APPEND options -dict=${dictionary})
    endif()
    set(seeds "")
    if(ARG_CORPUS)
        get_filename_component(seeds "${ARG_CORPUS}" ABSOLUTE)
        # What is committed, once each and nothing else: the same every time.
        add_test(NAME ${NAME}_corpus COMMAND ${NAME} ${options} -runs=0 ${seeds}
            WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
        set_tests_properties(${NAME}_corpus PROPERTIES LABELS "corpus" TIMEOUT 120
            ENVIRONMENT "${SLUICE_TEST_ENVIRONMENT}")
    endif()
    # The command line for a run by hand: ./dev fuzz reads it.
    string(REPLACE ";" "\n" lines "${options};${found};${seeds}")
    file(WRITE "${CMAKE_BINARY_DIR}/fuzz/${NAME}.options" "${lines}\n")
    add_test(NAME ${NAME} COMMAND ${NAME} -max_total_time=${SLUICE_FUZZ_SECONDS} ${options} ${found} ${seeds}
        WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
    math(EXPR timeout_s "${SLUICE_FUZZ_SECONDS} + 120")
    set_tests_properties(${NAME} PROPERTIES LABELS "fuzz;${ARG_LABELS}" TIMEOUT ${timeout_s}
        ENVIRONMENT "${SLUICE_TEST_ENVIRONMENT}")
endfunction()
