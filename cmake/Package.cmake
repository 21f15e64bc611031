# cmake --install, and a .deb through CPack.
include(GNUInstallDirs)
install(TARGETS ysdb RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
