// The directory of a lab: made, recognised, locked, destroyed.
#pragma once

#include <filesystem>
#include <optional>

#include "core/base/file.h"
#include "core/base/time.h"
#include "core/lab/site.h"

namespace ysdb::lab {

// Makes the directory, or checks that it holds a lab already. Throws Error(refused) when something else is in it.
// As root, a place that the servers' unprivileged user cannot reach (below /root) becomes a link to one in /var/lib/ysdb/labs.
// Returns the real path.
std::filesystem::path make_lab_directory(const std::filesystem::path& dir);

// The real path of an existing lab. Throws Error(refused) when there is none.
std::filesystem::path find_lab_directory(const std::filesystem::path& dir);

// Removes everything, the link of make_lab_directory included. The caller holds the lock and has stopped the servers.
void remove_lab_directory(const std::filesystem::path& dir);

// A directory without a record of a lab, in which there is nothing but the lab's lock and drafts of that record, and a link whose target is gone: what an `up` or
// a destroy that was killed leaves. Removes it and returns true; false, and nothing is touched, when there is something else.
bool remove_lab_remains(const std::filesystem::path& dir);

// One changing command at a time. Waits; throws Error(locked) at the deadline.
FileLock lock_lab(const std::filesystem::path& real_dir, Deadline deadline);

// As root: whom the servers that refuse root run as (the owner of the directory around the lab, else nobody). Otherwise nullopt.
std::optional<Owner> server_owner(const std::filesystem::path& dir);
// Gives a directory that the lab made to that user; nothing when there is none.
void give_to_owner(const Site& site, const std::filesystem::path& made_by_lab);

// A 0600 file with a random password, made at the first call. Returns the password.
std::string ensure_password(const std::filesystem::path& file);

}  // namespace ysdb::lab
