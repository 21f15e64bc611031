#include "core/migrate/scratch.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/base/error.h"
#include "core/base/fault.h"
#include "core/base/hash.h"
#include "core/base/process.h"
#include "core/base/text.h"
#include "core/base/url.h"
#include "core/lab/lab.h"

namespace ysdb::migrate {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view directory_prefix = "ysdb-drift-";
constexpr std::string_view database_prefix = "ysdb_scratch_";
constexpr std::size_t longest_name = 63;

// "1234-567890": a process of this machine; its number alone may be somebody else's by now.
std::string mark_of(const ProcessId& id, char separator) { return std::to_string(id.pid) + separator + std::to_string(id.start_ticks); }

std::optional<ProcessId> read_mark(std::string_view text, char separator) {
    ProcessId id;
    const auto [middle, failed] = std::from_chars(text.data(), text.data() + text.size(), id.pid);
    if (failed != std::errc() || middle == text.data() + text.size() || *middle != separator) return std::nullopt;
    if (std::from_chars(middle + 1, text.data() + text.size(), id.start_ticks).ec != std::errc()) return std::nullopt;
    return id;
}

std::string this_host() {
    std::array<char, 256> name{};
    gethostname(name.data(), name.size() - 1);
    return sha256_hex(name.data()).substr(0, 8);
}

std::string current_database(SqlStore& store, Deadline deadline) {
    return store.query(store.dialect() == Dialect::clickhouse ? "SELECT currentDatabase()" : "SELECT current_database()", deadline).row(0).text(0);
}

// The same server, another database.
std::string with_database(const std::string& url, const std::string& database) {
    const auto authority = url.find("://") + 3;
    const auto path = std::min(url.find_first_of("/?", authority), url.size());
    const auto query = std::min(url.find('?', path), url.size());
    return url.substr(0, path) + "/" + percent_encode(database) + url.substr(query);
}

std::string query_of(const std::string& url) {
    const auto query = url.find('?');
    return query == std::string::npos ? "" : url.substr(query);
}

void destroy_labs(const fs::path& directory, const ScratchOptions& options) {
    NoProgress silent;
    for (const auto& entry : fs::directory_iterator(directory)) {
        lab::Lab lab({entry.path(), options.cache, options.program});
        if (!lab.remove_remains()) lab.down(true, silent);
    }
    fs::remove(directory);
}

}  // namespace

struct Scratch::Place {
    StoreConfig config;
    std::shared_ptr<Store> store;
};

Scratch::Scratch(Context& context, ScratchOptions options) : context_(context), options_(std::move(options)), mark_(mark_of(this_process(), '-')) {
    for (const std::string& place : options_.places) {
        StoreConfig config = named_place(context, place, "--scratch");
        std::shared_ptr<Store> store = open_store(config);
        places_.push_back({std::move(config), std::move(store)});
    }
    remove_leftovers();
}

Scratch::~Scratch() {
    fault::point("scratch.remove.before");
    try {
        for (const auto& [place, database] : databases_) {
            SqlStore& sql = *place->store->sql();
            sql.query("DROP DATABASE IF EXISTS " + sql.quote_identifier(database) + (sql.dialect() == Dialect::postgres ? " WITH (FORCE)" : " SYNC"), context_.deadline());
        }
        // On ClickHouse our own tables are no part of the database.
        for (const Place* place : without_ours_) place->store->sql()->query("DROP DATABASE IF EXISTS ysdb SYNC", context_.deadline());
        if (!labs_.empty()) destroy_labs(options_.temporary / (std::string(directory_prefix) + mark_), options_);
    } catch (const std::exception& error) {
        context_.log.warn("scratch not removed; the next run will", {{"reason", error.what()}});
    }
}

bool Scratch::own_server(const std::string& store) const { return std::find(labs_.begin(), labs_.end(), store) != labs_.end(); }

StoreConfig Scratch::stand_in(Store& live) {
    SqlStore& sql = *live.sql();
    for (const Place& place : places_) {
        if (place.store->sql()->dialect() == sql.dialect()) return in_place(live, place);
    }
    return in_lab(live, sql.dialect());
}

StoreConfig Scratch::in_lab(Store& live, Dialect dialect) {
    const bool postgres = dialect == Dialect::postgres;
    const fs::path base = options_.temporary / (std::string(directory_prefix) + mark_);
    std::error_code failed;
    fs::create_directory(base, failed);
    if (failed) throw Error(Code::config, "cannot make a directory for a scratch server in " + options_.temporary.string() + ": " + failed.message(), "name another place: TMPDIR");
    labs_.push_back(live.name());
    lab::Lab lab({base / live.name(), options_.cache, options_.program});
    lab::UpOptions options;
    options.servers = {postgres ? "postgres" : "clickhouse"};
    // The live server's major where it is at hand: servers write the same view in different words.
    if (postgres) options.postgres_major = static_cast<int>(live.sql()->query("SELECT current_setting('server_version_num')::int / 10000", context_.deadline()).row(0).integer(0));
    lab::ServerStatus status = lab.up(options, context_.progress, context_.stop).front();
    if (status.state == lab::ServerState::missing && options.postgres_major != 0) {
        context_.log.warn("no PostgreSQL of the live server's major at hand; another one may write the same in other words", {{"major", options.postgres_major}});
        options.postgres_major = 0;
        status = lab.up(options, context_.progress, context_.stop).front();
    }
    if (status.state != lab::ServerState::started && status.state != lab::ServerState::running) {
        throw Error(Code::refused, fmt::format("no scratch server for store '{}': {}", live.name(), status.detail), status.hint.empty() ? "name one: --scratch URL" : status.hint + "; or name a server: --scratch URL");
    }
    fault::point("scratch.lab.after");
    const lab::LabStore server = lab.stores().front();
    StoreConfig config;
    config.name = live.name();
    config.url = server.url;
    config.password = Secret(server.password);
    const std::string database = current_database(*live.sql(), context_.deadline());
    const auto store = open_store(config);
    SqlStore& sql = *store->sql();
    if (current_database(sql, context_.deadline()) != database) sql.query("CREATE DATABASE " + sql.quote_identifier(database), context_.deadline());
    // What the live URL says of the session (search_path) holds for its stand-in; how to get there does not.
    config.url = with_database(server.url, database);
    if (const std::string query = query_of(live.config().url); postgres && query.find("options=") != std::string::npos) {
        std::string options_only;
        for (const std::string& item : split(query.substr(1), '&')) {
            if (item.starts_with("options=")) options_only = item;
        }
        config.url += (config.url.find('?') == std::string::npos ? "?" : "&") + options_only;
    }
    return config;
}

StoreConfig Scratch::in_place(Store& live, const Place& place) {
    SqlStore& sql = *place.store->sql();
    if (server_identity(sql, context_.deadline()) == server_identity(*live.sql(), context_.deadline())) {
        throw Error(Code::refused, fmt::format("--scratch {} is the server of store '{}'", place.store->redacted_url(), live.name()), "a migration may touch roles and other databases: name another server, or none, and a lab is started");
    }
    const std::string mark = fmt::format("{}{}_{}_{}", database_prefix, this_host(), mark_of(this_process(), '_'), live.name());
    const std::string database = mark.substr(0, longest_name);
    if (sql.dialect() == Dialect::clickhouse && sql.query("SELECT count() FROM system.databases WHERE name = 'ysdb'", context_.deadline()).row(0).text(0) == "0") without_ours_.push_back(&place);
    databases_.emplace_back(&place, database);
    sql.query("CREATE DATABASE " + sql.quote_identifier(database), context_.deadline());
    fault::point("scratch.database.after");
    StoreConfig config = place.config;
    config.name = live.name();
    config.url = with_database(place.config.url, database);
    return config;
}

void Scratch::remove_leftovers() const {
    std::error_code failed;
    for (fs::directory_iterator entry(options_.temporary, failed), end; !failed && entry != end; entry.increment(failed)) {
        const std::string name = entry->path().filename().string();
        if (!name.starts_with(directory_prefix)) continue;
        const auto process = read_mark(std::string_view(name).substr(directory_prefix.size()), '-');
        if (!process || alive(*process)) continue;
        try {
            destroy_labs(entry->path(), options_);
        } catch (const std::exception& error) {
            context_.log.warn("a killed run left a scratch server that could not be removed", {{"directory", entry->path().string()}, {"reason", error.what()}});
        }
    }
    for (const Place& place : places_) remove_leftovers_of(place);
}

void Scratch::remove_leftovers_of(const Place& place) const {
    SqlStore& sql = *place.store->sql();
    const bool postgres = sql.dialect() == Dialect::postgres;
    const std::string prefix = std::string(database_prefix) + this_host() + "_";
    const std::vector<std::optional<std::string>> params{prefix};
    const SqlResult found = sql.query(postgres ? "SELECT datname FROM pg_database WHERE starts_with(datname, $1)" : "SELECT name FROM system.databases WHERE startsWith(name, {p1:String})", params, context_.deadline());
    for (std::size_t i = 0; i < found.rows(); ++i) {
        const std::string name = found.row(i).text(0);
        const auto process = read_mark(std::string_view(name).substr(prefix.size()), '_');
        if (process && !alive(*process)) sql.query("DROP DATABASE IF EXISTS " + sql.quote_identifier(name) + (postgres ? " WITH (FORCE)" : " SYNC"), context_.deadline());
    }
}

StoreConfig named_place(Context& context, const std::string& place, const std::string& flag) {
    StoreConfig config;
    if (place.find("://") == std::string::npos) {
        config = context.stores.config(place);
    } else {
        if (!parse_url(place, flag, 0).password.empty()) {
            throw Error(Code::usage, flag + " holds a password, which every user of this machine can see", "configure the server as a store and name that: " + flag + " NAME");
        }
        config.name = flag.substr(flag.find_first_not_of('-'));
        config.url = place;
    }
    const auto store = open_store(config);
    if (store->sql() == nullptr || store->sql()->dialect() == Dialect::questdb) throw Error(Code::refused, flag + " " + store->redacted_url() + ": neither PostgreSQL nor ClickHouse");
    return config;
}

// Clones of one cluster share the identifier and are servers of their own: each has its start.
std::string server_identity(SqlStore& store, Deadline deadline) {
    // The engine as a library has no UUID: then it is its files.
    constexpr const char* of_clickhouse = "SELECT if(serverUUID() = toUUID('00000000-0000-0000-0000-000000000000'), concat(hostName(), ' ', (SELECT path FROM system.disks WHERE name = 'default')), toString(serverUUID()))";
    return store.query(store.dialect() == Dialect::clickhouse ? of_clickhouse : "SELECT system_identifier || ' ' || pg_postmaster_start_time() FROM pg_control_system()", deadline).row(0).text(0);
}

}  // namespace ysdb::migrate
