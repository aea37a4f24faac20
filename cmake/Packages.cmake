# cpack -G DEB in the build folder: acme-integrations, libacmetool0 and libacmetool-dev. Debian ships another ACME client
# as "acmetool", so no package, program or page is called plainly that.
set(CPACK_PACKAGE_VENDOR "The acme-integrations developers")
set(CPACK_PACKAGE_CONTACT "The acme-integrations developers <acme-integrations@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_GENERATOR DEB)
# InstallPrefix.cmake has to see /usr, not the folder in which the package is made.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL programs library development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_LIBRARY_OUTPUT_DIRECTORY})
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)

set(CPACK_DEBIAN_PROGRAMS_PACKAGE_NAME acme-integrations)
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_RECOMMENDS "ca-certificates, publicsuffix")
set(CPACK_COMPONENT_PROGRAMS_DEPENDS library)
set(CPACK_COMPONENT_PROGRAMS_DESCRIPTION "Certificates for devices through ACME
 Programs that prove a DNS domain to an ACME certification authority once and then get a certificate for every device
 below it.")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libacmetool0)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
# Loaded at their first use (base/loaded_library.h), so that no linker sees them.
set(CPACK_DEBIAN_LIBRARY_PACKAGE_DEPENDS "libcurl4 (>= 7.88), libsqlite3-0 (>= 3.40), libpq5 (>= 14), libldns3, libidn2-0, libpsl5")
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "Certificates for devices through ACME (library)
 The library behind acme-integrations.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libacmetool-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS libexpected-dev)
set(CPACK_COMPONENT_DEVELOPMENT_DEPENDS library)
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "Certificates for devices through ACME (headers)
 Headers, pkg-config file and CMake package of libacmetool.")

include(CPack)
