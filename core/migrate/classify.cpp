#include "core/migrate/classify.h"

#include "core/migrate/classify_dialects.h"

namespace ysdb::migrate {

StatementFacts classify(std::string_view sql, Dialect dialect) {
    Words words(sql, dialect);
    return dialect == Dialect::clickhouse ? classify_clickhouse(words, sql) : classify_postgres(words);
}

}  // namespace ysdb::migrate
