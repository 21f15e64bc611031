#include "cmd/commands.h"

namespace ysdb {

std::vector<CommandSpec> command_table() {
    return {
        config_command(),
        help_command(),
    };
}

}  // namespace ysdb
