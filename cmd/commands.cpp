#include "cmd/commands.h"

namespace ysdb {

std::vector<CommandSpec> command_table() {
    return {
        init_command(),
        lab_command(),
        migrate_command(),
        schema_command(),
        sync_command(),
        validate_command(),
        status_command(),
        doctor_command(),
        config_command(),
        completion_command(),
        man_command(),
        help_command(),
        complete_command(),
        generate_command(),
    };
}

}  // namespace ysdb
