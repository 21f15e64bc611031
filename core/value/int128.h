// 128-bit integers, which -Wpedantic only lets pass as an extension.
#pragma once

namespace ysdb {
__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 UInt128;
}  // namespace ysdb
