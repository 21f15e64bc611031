// Hashes: SHA-256 for what must be the same for ever (files, statements, downloads), XXH3 for rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ysdb {

std::string sha256_hex(std::string_view bytes);
std::string sha256_file_hex(const std::string& path);  // Error(internal) when the file cannot be read
std::string sha512_file_base64(const std::string& path);  // npm's integrity form, without the "sha512-" prefix

struct Hash128 {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    bool operator==(const Hash128&) const = default;
};
Hash128 xxh128(const void* data, std::size_t size, std::uint64_t seed = 0);

}  // namespace ysdb
