// PostgreSQL: postgres://, postgresql://, and postgres+patroni:// (the primary is asked of Patroni's REST API).
#pragma once

#include <memory>

#include "core/store/store.h"

namespace ysdb::postgres {

std::unique_ptr<Store> open(const StoreConfig& config);

}  // namespace ysdb::postgres
