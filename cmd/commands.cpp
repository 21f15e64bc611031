#include "cmd/commands.h"

namespace ysdb {

std::vector<CommandSpec> command_table() {
    return {
        lab_command(),
        sync_command(),
        validate_command(),
        config_command(),
        help_command(),
    };
}

}  // namespace ysdb
