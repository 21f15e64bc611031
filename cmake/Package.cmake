# cmake --install, and a .deb through CPack.
include(GNUInstallDirs)
install(TARGETS ysdb RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${PROJECT_SOURCE_DIR}/man/ysdb.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${PROJECT_SOURCE_DIR}/completions/ysdb.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME ysdb)
install(FILES ${PROJECT_SOURCE_DIR}/completions/_ysdb DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES ${PROJECT_SOURCE_DIR}/completions/ysdb.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
