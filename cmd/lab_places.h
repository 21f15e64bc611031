// Where the lab's things are when no flag says otherwise.
#pragma once

#include <string>

namespace ysdb {

// ./.ysdb-lab: a lab belongs to the project one works in, beside its ysdb.toml.
std::string default_lab_dir();
// $XDG_CACHE_HOME/ysdb or ~/.cache/ysdb. As root /var/cache/ysdb: PostgreSQL runs as another user, who cannot read root's home.
std::string default_cache_dir();
// The full path of this program.
std::string own_program();

}  // namespace ysdb
