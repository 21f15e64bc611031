// Recipes of two files: one that gives a table its new form beside the old one, and one that takes the old one away once no program uses it.
#pragma once

#include <string>

#include "core/migrate/recipe_parts.h"

namespace ysdb::migrate::recipes {

// The text of the file. Throws Error(refused) for a table it is not for.
std::string rename_column(Work& work);
std::string rename_column_contract(Work& work);
std::string rename_table(Work& work);
std::string rename_table_contract(Work& work);
std::string change_type(Work& work);
std::string change_type_contract(Work& work);

}  // namespace ysdb::migrate::recipes
