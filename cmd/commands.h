// One function a command; each lives in cmd/<name>.cpp. commands.cpp puts them in the order that help shows.
#pragma once

#include "cmd/command.h"

namespace ysdb {

CommandSpec config_command();
CommandSpec help_command();
CommandSpec sync_command();
CommandSpec validate_command();
CommandSpec lab_serve_clickhouse_command();  // a verb of lab

}  // namespace ysdb
