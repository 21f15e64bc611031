#include "core/lab/pins.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/base/embedded.h"
#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/text.h"
#include "core/config/toml_file.h"

namespace ysdb::lab {

namespace {

void set(Pin& pin, const TomlEntry& entry) {
    static const std::map<std::string, std::string Pin::*> texts{{"title", &Pin::title}, {"client", &Pin::client}, {"package", &Pin::package}, {"version", &Pin::version},
                                                                {"checksum", &Pin::checksum}, {"architecture", &Pin::architecture}, {"inner", &Pin::inner}, {"artifact", &Pin::artifact}, {"module", &Pin::module}};
    const std::string& key = entry.path[1];
    if (const auto text = texts.find(key); text != texts.end() && entry.kind == TomlEntry::Kind::text) pin.*text->second = entry.text;
    else if (key == "bytes" && entry.kind == TomlEntry::Kind::integer) pin.bytes = std::stoull(entry.text);
    else if (key == "unpacked" && entry.kind == TomlEntry::Kind::integer) pin.unpacked = std::stoull(entry.text);
    else if (key == "basic" && entry.kind == TomlEntry::Kind::boolean) pin.basic = entry.text == "true";
    else if (key == "dependencies" && entry.kind == TomlEntry::Kind::list) pin.dependencies = entry.items;
    else throw Error(Code::internal, fmt::format("servers.toml:{}: '{}' is not for here", entry.line, key));
}

void check_complete(const Pin& pin) {
    const bool known_client = pin.client == "npm" || pin.client == "maven" || pin.client == "pypi" || pin.client == "go";
    if (known_client && !pin.title.empty() && !pin.package.empty() && !pin.version.empty() && !pin.checksum.empty() && pin.bytes != 0) return;
    throw Error(Code::internal, fmt::format("servers.toml: '{}' is incomplete", pin.name));
}

}  // namespace

std::vector<Pin> parse_pins(std::string_view text) {
    std::map<std::string, std::pair<int, Pin>> found;  // with a line of its table: the file's order is the order shown
    for (const TomlEntry& entry : parse_toml(text, "servers.toml")) {
        if (entry.path.size() != 2) throw Error(Code::internal, fmt::format("servers.toml:{}: '{}' is no table of keys", entry.line, entry.path[0]));
        auto& [line, pin] = found[entry.path[0]];
        line = entry.line;
        pin.name = entry.path[0];
        set(pin, entry);
    }
    std::vector<std::pair<int, Pin>> in_order;
    for (auto& [name, pin] : found) in_order.push_back(std::move(pin));
    std::sort(in_order.begin(), in_order.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<Pin> result;
    for (auto& [line, pin] : in_order) {
        check_complete(pin);
        result.push_back(std::move(pin));
    }
    return result;
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
