#include "core/reconcile/digest.h"

#include <doctest/doctest.h>

#include <optional>
#include <string>

using namespace ysdb;
using namespace ysdb::reconcile;

namespace {

TableInfo two_texts(bool keyed) {
    TableInfo table;
    table.columns.resize(2);
    if (keyed) table.key = {0};
    return table;
}

RowHashes hash_of(const TableInfo& table, std::optional<std::string> a, std::optional<std::string> b) {
    Batch batch(&table);
    for (const auto& value : {a, b}) {
        if (value) batch.add(value->data(), value->size());
        else batch.add_null();
    }
    return RowHasher(table, 2).hash(batch, 0);
}

}  // namespace

TEST_CASE("a row's hash tells NULL from empty and where one column ends") {
    const TableInfo table = two_texts(true);
    CHECK(hash_of(table, "a", "b").row == hash_of(table, "a", "b").row);
    CHECK(!(hash_of(table, "ab", "").row == hash_of(table, "a", "b").row));
    CHECK(!(hash_of(table, "a", "").row == hash_of(table, "a", std::nullopt).row));
    CHECK(!(hash_of(table, std::nullopt, "a").row == hash_of(table, "a", std::nullopt).row));
}

TEST_CASE("the same row hashes alike wherever it lies in a batch") {
    const TableInfo table = two_texts(true);
    Batch batch(&table);
    for (int i = 0; i < 3; ++i) {
        batch.add("key", 3);
        batch.add("some value", 10);
    }
    RowHasher hasher(table, 2);
    CHECK(hasher.hash(batch, 0).row == hasher.hash(batch, 2).row);
}

TEST_CASE("digests do not depend on order, and differ only where rows do") {
    const TableInfo table = two_texts(true);
    Digest forwards, backwards, changed;
    for (int i = 0; i < 1000; ++i) forwards.add(hash_of(table, std::to_string(i), "v"));
    for (int i = 999; i >= 0; --i) backwards.add(hash_of(table, std::to_string(i), "v"));
    for (int i = 0; i < 1000; ++i) changed.add(hash_of(table, std::to_string(i), i == 500 ? "w" : "v"));
    CHECK(differing_buckets(forwards, backwards).empty());
    const auto differing = differing_buckets(forwards, changed);
    REQUIRE(differing.size() == 1);
    CHECK(differing[0] == Digest::bucket_of(hash_of(table, "500", "v").key));
    CHECK(forwards.rows() == 1000);
}

TEST_CASE("two rows swapped between keys are not the same table") {
    const TableInfo table = two_texts(true);
    Digest a, b;
    a.add(hash_of(table, "1", "x"));
    a.add(hash_of(table, "2", "y"));
    b.add(hash_of(table, "1", "y"));
    b.add(hash_of(table, "2", "x"));
    CHECK(!differing_buckets(a, b).empty());
}
