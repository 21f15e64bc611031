// The verbs of migrate that live in files of their own, and a flag that most of them share.
#pragma once

#include "cmd/command.h"
#include "core/migrate/scratch.h"

namespace ysdb {

CommandSpec migrate_new_verb();
CommandSpec migrate_down_verb();
CommandSpec migrate_redo_verb();
CommandSpec migrate_dump_verb();
CommandSpec migrate_drift_verb();
CommandSpec migrate_adopt_verb();

FlagSpec migrate_lock_wait_flag();
FlagSpec migrate_env_flag();
FlagSpec migrate_scratch_flag();
migrate::ScratchOptions migrate_scratch_options(const Invocation& line);

}  // namespace ysdb
