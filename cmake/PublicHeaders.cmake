# The public headers: a request, an order as a state machine, and what these two include.
set(ACMETOOL_PUBLIC_HEADERS
    acme/directory.h acme/order.h acme/problem.h acme/session.h
    base/bytes.h base/cause.h base/context.h base/error.h base/result.h base/secret.h base/time.h
    crypto/cert.h crypto/csr.h crypto/key.h
    http/client.h)

# The linker's version script: what these headers declare as ACMETOOL_EXPORT is ACMETOOL_0.1, what other headers declare so
# is for the programs (ACMETOOL_PRIVATE), and all else, Boost and templates included, is local.
set(public "")
foreach(header ${ACMETOOL_PUBLIC_HEADERS})
    set(source ${CMAKE_SOURCE_DIR}/libacmetool/${header})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
    file(STRINGS ${source} namespace REGEX "^namespace acmetool")
    string(REGEX REPLACE "^namespace ([a-z:]+).*" "\\1" namespace "${namespace}")
    file(STRINGS ${source} exported REGEX "ACMETOOL_EXPORT")
    foreach(line IN LISTS exported)
        if(line MATCHES "^(class|struct) ACMETOOL_EXPORT ([A-Za-z]+)")
            set(name ${namespace}::${CMAKE_MATCH_2})
            string(APPEND public "        ${name}::*;\n        \"vtable for ${name}\";\n        \"typeinfo for ${name}\";\n")
            string(APPEND public "        \"typeinfo name for ${name}\";\n")
        elseif(line MATCHES "[ >]([a-z_0-9]+)\\(")
            string(APPEND public "        ${namespace}::${CMAKE_MATCH_1}*;\n")
        endif()
    endforeach()
endforeach()
# The last wildcard that matches decides.
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/libacmetool.map @ONLY CONTENT "ACMETOOL_PRIVATE {
    global: extern \"C++\" {
        acmetool::*;
        vtable?for?acmetool::*;
        typeinfo?for?acmetool::*;
        typeinfo?name?for?acmetool::*;
    };
    local: *;
};
ACMETOOL_${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} {
    global: extern \"C++\" {
${public}    };
};
")
