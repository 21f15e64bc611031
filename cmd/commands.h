// One function a command; each lives in cmd/<name>.cpp. commands.cpp puts them in the order that help shows.
#pragma once

#include "cmd/command.h"

namespace ysdb {

CommandSpec init_command();
CommandSpec lab_command();
CommandSpec migrate_command();
CommandSpec schema_command();
CommandSpec sync_command();
CommandSpec validate_command();
CommandSpec status_command();
CommandSpec doctor_command();
CommandSpec config_command();
CommandSpec completion_command();
CommandSpec man_command();
CommandSpec help_command();
CommandSpec lab_serve_clickhouse_command();   // a hidden verb of lab
CommandSpec lab_load_command();              // a verb of lab
CommandSpec complete_command();   // hidden: what the completion scripts call
CommandSpec migrate_lint_verb();             // a verb of migrate
CommandSpec generate_command();   // hidden: renews the files of the repository that come from commands and settings

}  // namespace ysdb
