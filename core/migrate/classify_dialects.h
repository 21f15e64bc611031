// One function a dialect, behind classify.h.
#pragma once

#include "core/migrate/classify.h"
#include "core/migrate/words.h"

namespace ysdb::migrate {

StatementFacts classify_postgres(Words& words);
StatementFacts classify_clickhouse(Words& words, std::string_view sql);

}  // namespace ysdb::migrate
