include(CMakePackageConfigHelpers)

# Components, as the Debian packages in debian/ divide them.
install(TARGETS ${ACMETOOL_PROGRAMS} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT programs)
file(GLOB ACMETOOL_PAGES_1 ${CMAKE_SOURCE_DIR}/man/*.1)
file(GLOB ACMETOOL_PAGES_5 ${CMAKE_SOURCE_DIR}/man/*.5)
file(GLOB ACMETOOL_PAGES_7 ${CMAKE_SOURCE_DIR}/man/*.7)
install(FILES ${ACMETOOL_PAGES_1} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT programs)
install(FILES ${ACMETOOL_PAGES_5} DESTINATION ${CMAKE_INSTALL_MANDIR}/man5 COMPONENT programs)
install(FILES ${ACMETOOL_PAGES_7} DESTINATION ${CMAKE_INSTALL_MANDIR}/man7 COMPONENT programs)
file(GLOB ACMETOOL_UNITS ${CMAKE_SOURCE_DIR}/packaging/systemd/*)
install(PROGRAMS ${CMAKE_SOURCE_DIR}/packaging/install-certificates
    DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/acme-integrations COMPONENT programs)
configure_file(cmake/InstallPrefix.cmake.in InstallPrefix.cmake @ONLY)
install(SCRIPT ${CMAKE_BINARY_DIR}/InstallPrefix.cmake COMPONENT programs)
install(DIRECTORY completions/bash/ DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT programs)
install(DIRECTORY completions/zsh/ DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT programs)
install(DIRECTORY completions/fish/ DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT programs)
file(GLOB ACMETOOL_SCHEMAS ${CMAKE_SOURCE_DIR}/docs/schema/*.json)
install(FILES ${ACMETOOL_SCHEMAS} DESTINATION ${CMAKE_INSTALL_DATADIR}/acme-integrations/schema COMPONENT programs)
# The quickstart builds the source tree.
install(DIRECTORY examples/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples USE_SOURCE_PERMISSIONS COMPONENT programs
    PATTERN quickstart EXCLUDE)

install(TARGETS acmetool EXPORT acmetool
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# Installed, the public headers (PublicHeaders.cmake) name each other with the "acmetool/" prefix, so that no user needs a
# folder with names like base/ and http/ on the include path.
foreach(header ${ACMETOOL_PUBLIC_HEADERS})
    set(source ${CMAKE_SOURCE_DIR}/libacmetool/${header})
    file(READ ${source} text)
    string(REGEX REPLACE "#include \"((acme|base|crypto|http)/)" "#include \"acmetool/\\1" text "${text}")
    file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/public/acmetool/${header} CONTENT "${text}" @ONLY)
endforeach()
install(DIRECTORY ${CMAKE_BINARY_DIR}/public/acmetool DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
install(FILES ${CMAKE_BINARY_DIR}/include/acmetool/export.h
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/acmetool COMPONENT development)

set(ACMETOOL_CMAKE_FOLDER ${CMAKE_INSTALL_LIBDIR}/cmake/acmetool)
install(EXPORT acmetool NAMESPACE acmetool:: FILE acmetool-targets.cmake
    DESTINATION ${ACMETOOL_CMAKE_FOLDER} COMPONENT development)
configure_package_config_file(cmake/acmetool-config.cmake.in acmetool-config.cmake
    INSTALL_DESTINATION ${ACMETOOL_CMAKE_FOLDER})
# 0.MINOR is the ABI until 1.0.
write_basic_package_version_file(acmetool-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/acmetool-config.cmake ${CMAKE_BINARY_DIR}/acmetool-config-version.cmake
    DESTINATION ${ACMETOOL_CMAKE_FOLDER} COMPONENT development)
# Relative, so that the file is right in whatever prefix the tree is installed or packaged.
file(RELATIVE_PATH ACMETOOL_PREFIX_FROM_PC /usr/${CMAKE_INSTALL_LIBDIR}/pkgconfig /usr)
configure_file(cmake/libacmetool.pc.in libacmetool.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/libacmetool.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
