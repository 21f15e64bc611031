// The shipped schemas applied without a history: for tests of the schemas themselves and of what is loaded into them.
#pragma once

#include <string>

#include "core/context.h"

namespace ysdb::test {

enum class Direction { up, down };

// Runs the sections of sql/<schema>/*.sql that belong to `store` ("main": the files that name none), in order, or backwards for down.
void apply_schema(Context& context, const std::string& schema, const std::string& store, Direction direction = Direction::up);

}  // namespace ysdb::test
