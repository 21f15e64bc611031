#include "core/lab/pins.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>

#include "core/base/embedded.h"
#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/text.h"

namespace ysdb::lab {

namespace {

Pin pin_from(const std::string& name, const toml::table& entry) {
    const auto text = [&](const char* key) { return entry[key].value_or(std::string()); };
    Pin pin;
    pin.name = name;
    pin.title = text("title");
    pin.client = text("client");
    pin.package = text("package");
    pin.version = text("version");
    pin.checksum = text("checksum");
    pin.bytes = static_cast<std::uint64_t>(entry["bytes"].value_or(std::int64_t{0}));
    pin.unpacked = static_cast<std::uint64_t>(entry["unpacked"].value_or(std::int64_t{0}));
    pin.architecture = text("architecture");
    pin.inner = text("inner");
    pin.module = text("module");
    pin.basic = entry["basic"].value_or(false);
    if (const toml::array* list = entry["dependencies"].as_array()) {
        for (const auto& item : *list) pin.dependencies.push_back(item.value_or(std::string()));
    }
    const bool known_client = pin.client == "npm" || pin.client == "maven" || pin.client == "pypi" || pin.client == "go";
    if (!known_client || pin.title.empty() || pin.package.empty() || pin.version.empty() || pin.checksum.empty() || pin.bytes == 0) {
        throw Error(Code::internal, fmt::format("servers.toml: '{}' is incomplete", name));
    }
    return pin;
}

}  // namespace

std::vector<Pin> parse_pins(std::string_view text) {
    try {
        std::vector<std::pair<std::uint32_t, Pin>> found;
        for (const auto& [key, node] : toml::parse(text)) {
            const toml::table* entry = node.as_table();
            if (entry == nullptr) throw Error(Code::internal, fmt::format("servers.toml: '{}' is no table", std::string_view(key.str())));
            found.emplace_back(entry->source().begin.line, pin_from(std::string(key.str()), *entry));
        }
        std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
        std::vector<Pin> result;
        for (auto& [line, pin] : found) result.push_back(std::move(pin));
        return result;
    } catch (const toml::parse_error& error) {
        throw Error(Code::internal, fmt::format("servers.toml, line {}: {}", error.source().begin.line, error.description()));
    }
}

const std::vector<Pin>& pins() {
    static const std::vector<Pin> shipped = parse_pins(embedded_file("templates/lab/servers.toml"));
    return shipped;
}

const Pin& pin(const std::string& name) {
    std::vector<std::string> names;
    for (const Pin& each : pins()) {
        if (each.name == name) return each;
        names.push_back(each.name);
    }
    throw Error(Code::usage, fmt::format("nothing to fetch is called '{}'{}", name, did_you_mean(name, names)), "names: " + join(names, ", "));
}

std::filesystem::path place_of(const Pin& pin, const std::filesystem::path& cache) {
    // The checksum's own hash: a go sum holds slashes.
    return cache / fmt::format("{}-{}-{}", pin.name, pin.version, sha256_hex(pin.checksum).substr(0, 8));
}

std::optional<std::filesystem::path> find_fetched(const std::string& name, const std::filesystem::path& cache) {
    const std::filesystem::path place = place_of(pin(name), cache);
    return std::filesystem::exists(place) ? std::optional(place) : std::nullopt;
}

std::filesystem::path fetched(const std::string& name, const std::filesystem::path& cache) {
    if (auto place = find_fetched(name, cache)) return *place;
    throw Error(Code::refused, fmt::format("{} is not on this machine", pin(name).title), "ysdb lab fetch " + name);
}

}  // namespace ysdb::lab
