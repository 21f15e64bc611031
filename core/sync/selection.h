// Some of a table's columns: what [[sync.table]] columns and except say, for every capture alike.
//
// The source is told what is left out and reads none of its values, but tells it as NULL, in shapes with every column: what a column is that comes, goes or
// gets another name is judged here. All of it is taken out before anybody sees it, in changes, copies and descriptions.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/config/config.h"
#include "core/store/changes.h"

namespace ysdb::sync {

// The table with the chosen columns. Throws Error(refused) when a column that is named is not there, or the key would lose one.
TableInfo selected(const SyncConfig& set, const TableInfo& table);
TableInfo selected(const Config& config, const std::string& set, const TableInfo& table);
// Whether any table of the set has less than all of its columns.
bool selects(const SyncConfig& set);
// `inner`, telling the chosen columns. Both arguments must outlive it. A column that joins the choice has values that nobody told: its table is
// halted until it is copied anew. One that leaves it is told as dropped.
std::unique_ptr<ChangeCapture> selecting(ChangeCapture& inner, const SyncConfig& set);

}  // namespace ysdb::sync
