#include "cmd/commands.h"

namespace ysdb {

std::vector<CommandSpec> command_table() {
    return {
        sync_command(),
        validate_command(),
        config_command(),
        {.name = "lab", .summary = "local servers to try things on", .verbs = {lab_serve_clickhouse_command()}, .hidden = true},
        help_command(),
    };
}

}  // namespace ysdb
