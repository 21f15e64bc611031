#include "core/store/postgres/trigger_log.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/fault.h"
#include "core/store/postgres/sql_build.h"

namespace ysdb::postgres {

namespace {

using Params = std::vector<std::optional<std::string>>;

constexpr int days_ahead = 7;   // of partitions

void try_in_transaction(SqlSession& session, const std::string& sql, Deadline deadline) {
    try {
        session.query("BEGIN; SET LOCAL lock_timeout = '200ms'; SET LOCAL client_min_messages = 'warning'", deadline);
        session.query(sql, deadline);
        session.query("COMMIT", deadline);
    } catch (const Error& error) {
        if (error.code() == Code::connect) throw;   // also one that gave no answer in time: it takes no other statement either
        session.query("ROLLBACK", deadline);        // somebody is at work there: next time
    }
}

}  // namespace

Layout parse_layout(const std::string& text) {
    Layout layout;
    const auto json = nlohmann::json::parse(text);
    for (const auto& each : json.at("columns")) {
        layout.places.push_back({each.at(1), each.at(0), {each.at(2).get<std::uint32_t>(), each.at(3).get<std::int32_t>()}, !each.at(4).get<bool>(), each.at(5)});
    }
    if (json.at("key").is_null()) return layout;
    const std::string key = json.at("key");
    for (const char* at = key.c_str(); *at != '\0';) {
        char* end = nullptr;
        const long number = std::strtol(at, &end, 10);
        if (end == at) break;
        for (const Place& place : layout.places) {
            if (place.number == number) layout.key.push_back(place.name);
        }
        at = end;
    }
    return layout;
}

bool split_row(std::string_view row, std::string& bytes, std::vector<Printed>& fields) {
    bytes.clear();
    fields.clear();
    if (row.size() < 2 || row.front() != '(' || row.back() != ')') return false;
    const std::size_t end = row.size() - 1;
    for (std::size_t at = 1;; ++at) {
        Printed field;
        field.from = bytes.size();
        if (at < end && row[at] == '"') {
            field.null = false;
            for (++at;; ++at) {
                if (at >= end) return false;
                if (row[at] == '"') {
                    if (at + 1 >= end || row[at + 1] != '"') break;
                    ++at;
                } else if (row[at] == '\\') {
                    if (++at >= end) return false;
                }
                bytes += row[at];
            }
            ++at;
        } else {
            const std::size_t comma = std::min(row.find(',', at), end);
            field.null = comma == at;
            bytes.append(row.substr(at, comma - at));
            at = comma;
        }
        field.size = bytes.size() - field.from;
        fields.push_back(field);
        if (at == end) return true;
        if (row[at] != ',') return false;
    }
}

void tend_log(SqlSession& session, Deadline deadline) {
    const SqlResult done = session.query("SELECT t.snapshot, t.id FROM cdc.ticks t WHERE t.id = (SELECT min(position) FROM cdc.sets)", deadline);
    if (done.rows() == 1) {
        const SqlResult old = session.query(
            "SELECT c.oid::regclass::text, c.relname = 'change_log_default' FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'cdc.change_log'::regclass"
            " AND CASE WHEN c.relname ~ '^change_log_[0-9]{8}$' THEN to_date(right(c.relname, 8), 'YYYYMMDD') < (now() AT TIME ZONE 'UTC')::date ELSE c.relname = 'change_log_default' END",
            deadline);
        for (std::size_t i = 0; i < old.rows(); ++i) {
            const std::string name = old.row(i).text(0);
            const bool stays = old.row(i).truth(1);
            // Nobody writes into it while it is looked through, and whoever had begun to has ended.
            const std::string check = "LOCK TABLE ONLY " + name + " IN ACCESS EXCLUSIVE MODE; DO $do$ BEGIN IF EXISTS (SELECT FROM " + name + " WHERE xid >= pg_snapshot_xmin(" + literal(done.row(0).text(0)) +
                                      ") AND NOT pg_visible_in_snapshot(xid, " + literal(done.row(0).text(0)) + ")) THEN RAISE EXCEPTION 'in use'; END IF; END $do$; ";
            if (stays && session.query("SELECT EXISTS (SELECT FROM " + name + ")", deadline).row(0).truth(0) == false) continue;
            fault::point("sync.trigger.clean.before");
            // Emptied first: that does not need the log as a whole, which may never be free.
            try_in_transaction(session, check + "TRUNCATE " + name, deadline);
            if (!stays) try_in_transaction(session, check + "DROP TABLE " + name, deadline);
            fault::point("sync.trigger.clean.after");
        }
        session.query("DELETE FROM cdc.ticks WHERE id < $1", Params{done.row(0).text(1)}, deadline);
    }
    // A new partition must be shown to take nothing from the default one: while rows are there, they stay its.
    if (session.query("SELECT EXISTS (SELECT FROM cdc.change_log_default)", deadline).row(0).truth(0)) return;
    const SqlResult missing = session.query(
        "SELECT to_char(day, 'YYYYMMDD'), day::date, day::date + 1 FROM generate_series((now() AT TIME ZONE 'UTC')::date, (now() AT TIME ZONE 'UTC')::date + " + std::to_string(days_ahead) +
            ", interval '1 day') day WHERE to_regclass('cdc.change_log_' || to_char(day, 'YYYYMMDD')) IS NULL",
        deadline);
    for (std::size_t i = 0; i < missing.rows(); ++i) {
        const std::string name = "cdc.change_log_" + missing.row(i).text(0);
        // Attached rather than made in place: that lets writers go on.
        try_in_transaction(session,
                           "CREATE TABLE " + name + " (LIKE cdc.change_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS); ALTER TABLE cdc.change_log ATTACH PARTITION " + name + " FOR VALUES FROM ('" +
                               missing.row(i).text(1) + " 00:00:00+00') TO ('" + missing.row(i).text(2) + " 00:00:00+00')",
                           deadline);
    }
}

}  // namespace ysdb::postgres
