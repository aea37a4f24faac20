add_library(acmetool_warnings INTERFACE)
target_compile_options(acmetool_warnings INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wunused-result)
if(ACMETOOL_WERROR)
    target_compile_options(acmetool_warnings INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # False alarms of GCC 12 on std::copy, on vectors compared and on strings put together (GCC bugs 105329, 105651), at -O2
    # and -O3.
    target_compile_options(acmetool_warnings INTERFACE -Wno-stringop-overflow -Wno-stringop-overread -Wno-restrict)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # std::stable_sort of libstdc++ 12 uses what the library itself calls deprecated.
    target_compile_options(acmetool_warnings INTERFACE -Wno-deprecated-declarations)
endif()
if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # In a batch, GCC takes the sources for headers, whose types should not be in an unnamed namespace.
    target_compile_options(acmetool_warnings INTERFACE -Wno-subobject-linkage)
endif()
