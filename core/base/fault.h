// Fault points: named places where a test can make the process die, as a power cut would. Always compiled in; armed only
// by main from YSDB_FAULT.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ysdb::fault {

// Arms one point: "name" (dies at its first passing) or "name:N" (at its N-th). Empty disarms. Not thread-safe: call before threads start.
void arm(std::string_view spec);

// SIGKILLs the process when this point is armed and due; costs one relaxed load otherwise. Thread-safe.
// Names are "<job>.<step>.<before|after>", listed in docs/faults.md; a test checks that the list is complete.
void point(std::string_view name);

}  // namespace ysdb::fault
