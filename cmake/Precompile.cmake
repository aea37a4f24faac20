# precompile_headers(TARGET): what most files include and takes longest to read, read once; for builds without batches.
function(precompile_headers target)
    if(CMAKE_DISABLE_PRECOMPILE_HEADERS)
        return()
    endif()
    target_precompile_headers(${target} PRIVATE
        <algorithm> <chrono> <filesystem> <functional> <map> <memory> <optional> <string> <variant> <vector>
        <fmt/core.h> <nlohmann/json.hpp> <openssl/ssl.h> <openssl/x509v3.h> <tl/expected.hpp>)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        target_compile_options(${target} PRIVATE -fpch-preprocess) # ccache needs to see them
    endif()
endfunction()
