#include "cmd/commands.h"

namespace ysdb {

std::vector<CommandSpec> command_table() {
    return {
        sync_command(),
        validate_command(),
        lab_command(),
        config_command(),
        help_command(),
    };
}

}  // namespace ysdb
