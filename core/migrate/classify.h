// What a statement does, as far as its first words tell: for plans (what, which locks) and for resuming (probe, repeatable).
// It never decides whether a statement is run: one it does not know is run as it is.
#pragma once

#include <string>

#include "core/migrate/statement.h"
#include "core/plan/plan.h"

namespace ysdb::migrate {

struct StatementFacts {
    std::string what;                   // "CREATE INDEX CONCURRENTLY users_email ON users"
    std::string object;                 // the existing table it works on, as the file names it; or empty
    std::string locks;                  // "SHARE on users: blocks writes"; empty: none worth a word
    std::optional<plan::Probe> probe;
    std::string cluster;                // ClickHouse: ON CLUSTER
    bool outside_transaction = false;   // PostgreSQL refuses it inside a transaction
    bool controls_transaction = false;  // BEGIN, COMMIT, ROLLBACK ...
    bool adds_label = false;            // ALTER TYPE ... ADD VALUE
    bool writes_to_client = false;      // COPY ... TO STDOUT
    bool repeatable = false;
    bool may_leave_part = false;
    bool waits_for_others = false;
    bool dirties_session = false;
};

StatementFacts classify(std::string_view sql, Dialect dialect);

}  // namespace ysdb::migrate
