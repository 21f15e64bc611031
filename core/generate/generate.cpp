#include "core/generate/generate.h"

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/generate/tables.h"

namespace ysdb {

using generate::TableMaker;

struct Generator::Impl {
    generate::World world;
    std::vector<const TableMaker*> makers;
};

namespace {

std::vector<const TableMaker*> makers_of(const std::string& schema) {
    std::vector<const TableMaker*> makers;
    for (const auto tables : {generate::user_tables(), generate::transaction_tables(), generate::market_tables(), generate::event_tables(),
                              generate::trading_tables()}) {
        for (const TableMaker& maker : tables) {
            if (maker.schema == schema) makers.push_back(&maker);
        }
    }
    if (makers.empty()) {
        const std::vector<std::string> known{"yieldsensei", "solana"};
        throw Error(Code::usage, "unknown schema '" + schema + "'" + did_you_mean(schema, known), "schemas with generated rows: " + join(known, ", "));
    }
    return makers;
}

}  // namespace

Generator::Generator(const std::string& schema, const GenerateOptions& options)
    : impl_(new Impl{generate::World(options.seed, options.rows, options.until, options.listed_assets), makers_of(schema)}) {
    for (const TableMaker* maker : impl_->makers) tables_.push_back({std::string(maker->store), maker->columns(), maker->rows(impl_->world)});
}

Generator::~Generator() = default;

void Generator::fill(std::size_t table, std::uint64_t first, std::uint64_t count, Batch& out) const {
    generate::Cells cells(out);
    const auto fill_row = impl_->makers[table]->fill;
    for (std::uint64_t row = first; row < first + count; ++row) fill_row(impl_->world, row, cells);
}

namespace generate {

ColumnInfo column(std::string name, TypeKind kind, bool nullable, std::uint8_t precision, std::uint8_t scale) {
    ColumnInfo info;
    info.name = std::move(name);
    info.type.kind = kind;
    info.type.nullable = nullable;
    info.type.precision = precision;
    info.type.scale = scale;
    return info;
}

}  // namespace generate

}  // namespace ysdb
