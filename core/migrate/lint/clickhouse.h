// The rules for ClickHouse. Its grammar is not parsed: the first words and clauses of a statement tell what the rules need.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "core/migrate/lint/verdict.h"
#include "core/migrate/words.h"

namespace ysdb::migrate::lint {

class ClickHouseRules {
public:
    // `clusters`: other statements of these files say ON CLUSTER.
    void begin_file(bool all_new_stays_new, bool clusters);
    // `settles`: a run that was killed over it finds out by itself whether it took effect.
    Verdict look(std::string_view sql, bool settles);
    // The rules for the migrate:down of the file that was looked at: everything is in use then but what the file made itself.
    ClickHouseRules way_back() const;

private:
    bool is_new(const Name& name) const { return new_.count(name.last()) != 0; }
    void hit(std::string_view rule, const Name& table, bool existing_only = true);
    void touch(const Name& table);
    void create(Words& words);
    void table_design(const Name& table, Words words);
    void drop(Words& words);
    void alter(Words& words);
    void alter_command(const Name& table, Words& words);
    void on_cluster(Words& words, const Name& table);

    std::set<std::string> new_;
    std::set<std::string> made_, added_columns_;   // by this file; "table.column"
    bool clusters_ = false;
    Verdict verdict_;
};

}  // namespace ysdb::migrate::lint
