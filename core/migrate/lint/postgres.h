// The rules for PostgreSQL, over the statements of files in the order they are applied.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "core/migrate/lint/parse_tree.h"
#include "core/migrate/lint/verdict.h"

namespace ysdb::migrate::lint {

// Remembers what the files so far made: tables that are new block nobody, and types of columns tell which changes rewrite.
class PostgresRules {
public:
    // `transaction`: the file is one. `all_new_stays_new`: what an earlier file made is still new (files that are applied in one go).
    void begin_file(bool transaction, bool all_new_stays_new);
    // `batched`: it is run in batches (migrate:batch).
    Verdict look(std::string_view sql, bool batched = false);
    // The rules for the migrate:down of the file that was looked at. By the time it runs everything is in use but what the file made itself.
    PostgresRules way_back() const;
    // Tables that got their primary key in this file, behind the statement that made them.
    const std::set<std::string>& given_keys() const { return given_keys_; }

private:
    struct Relation {
        std::string key;      // "users", "audit.log": the same for public.users
        std::string shown;    // as SQL names it
        std::size_t location = 0;
    };
    struct Constraint {
        std::string not_null;     // CHECK (this IS NOT NULL)
        bool valid = false;
        bool added_here = false;  // in the transaction of this file
    };
    static Relation relation(Node range);
    static Relation relation_of_names(Node names);
    bool is_new(const Relation& table) const { return new_.count(table.key) != 0; }
    void hit(std::string_view rule, std::size_t offset, std::string subject, std::string table = {});
    void hit_old(std::string_view rule, std::size_t offset, const Relation& table, std::string subject = {});
    void touch(const Relation& table, Lock lock, bool rewrites = false, bool scans = false);
    void lose(const std::string& what);
    void make(const std::string& key) {
        new_.insert(key);
        made_.insert(key);
    }
    std::size_t place(std::string_view word, std::size_t from) const;
    void check_name(Node name_holder, std::string_view field, std::size_t at);

    void alter_table(Node statement);
    void add_column(const Relation& table, Node column);
    void add_constraint(const Relation& table, Node constraint);
    void change_type(const Relation& table, Node command);
    void set_not_null(const Relation& table, Node command);
    void other_command(const Relation& table, Node command, std::string_view subtype);
    void column_design(const Relation& table, Node column);
    void create_table(Node statement);
    void padding(const Relation& table, Node elements);
    void create_index(Node statement);
    void drop(Node statement);
    void rename(Node statement);
    void maintain(Node statement, std::string_view kind);
    void change_rows(Node statement, std::string_view kind);
    void other(Node statement, std::string_view kind);
    void outside_transaction(std::size_t at = 0);
    void uses_new_enum_values(Node node);
    void sum_up();

    bool transaction_ = true;
    std::set<std::string> new_, new_types_, given_keys_, enum_values_, worked_on_;
    std::set<std::string> made_, made_types_, touched_, added_columns_;     // by this file; "table.column"
    std::map<std::string, std::string> indexes_;                            // their tables
    std::map<std::string, std::map<std::string, ColumnType>> columns_;      // by table
    std::map<std::string, std::map<std::string, Constraint>> constraints_;  // by table
    std::string locked_;                                                    // an existing table under ACCESS EXCLUSIVE since an earlier statement
    bool backfill_told_ = false;
    bool batched_ = false;

    std::string_view sql_;
    Verdict verdict_;
};

}  // namespace ysdb::migrate::lint
