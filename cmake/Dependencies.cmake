# Third-party libraries, by pkg-config, as imported targets: PkgConfig::rdkafka, PkgConfig::libpq, ….
# Imported targets are SYSTEM, so that our warnings stop at their headers. Targets.cmake takes the short name too.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Python3 REQUIRED COMPONENTS Interpreter)

# package -> oldest version that has what we call
set(SLUICE_PACKAGES
    "rdkafka>=2.0.2" "libcurl>=7.88" "jansson>=2.14" "libpq>=15" "openssl>=3.0"
    "libmicrohttpd>=0.9.75" "inih>=55" "libjwt>=1.10" "cmocka>=1.1.5")
foreach(requirement IN LISTS SLUICE_PACKAGES)
    string(REGEX REPLACE ">=.*" "" package "${requirement}")
    pkg_check_modules(${package} REQUIRED QUIET IMPORTED_TARGET "${requirement}")
endforeach()
