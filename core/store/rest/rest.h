// Stores that are only looked at, over their REST APIs: weaviate:// and arango:// (with an s: TLS).
#pragma once

#include <memory>

#include "core/store/store.h"

namespace ysdb::rest {

std::unique_ptr<Store> open_weaviate(const StoreConfig& config);
std::unique_ptr<Store> open_arango(const StoreConfig& config);

}  // namespace ysdb::rest
