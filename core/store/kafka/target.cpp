#include "core/store/kafka/target.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"

namespace ysdb::kafka {

namespace {

// Our names for what people set; any name with a dot goes to librdkafka as it is.
const std::map<std::string, std::string> own_names{{"tls_ca", "ssl.ca.location"},
                                                   {"tls_cert", "ssl.certificate.location"},
                                                   {"tls_key", "ssl.key.location"},
                                                   {"sasl_mechanism", "sasl.mechanism"}};

void refuse_secret(const std::string& what, const std::string& key) {
    if (key.find("password") == std::string::npos && key != "sasl.jaas.config" && key.find(".pem") == std::string::npos) return;
    throw Error(Code::config, what + ": " + key + " cannot be an option", "a password belongs in password_file, a key in the file that tls_key names");
}

}  // namespace

Target parse_target(const StoreConfig& config) {
    const std::string what = "store '" + config.name + "'";
    const Url url = parse_url(config.url, what, 9092);
    if (!url.path.empty()) throw Error(Code::config, what + ": a Kafka url has no path", "write it like kafka://host1:9092,host2:9092");
    Target target;
    target.store = config.name;
    target.redacted_url = url.redacted();
    target.hosts = url.hosts;
    target.password = config.password.empty() ? Secret(url.password) : config.password;
    target.connect_timeout = config.pool.connect_timeout;

    const bool encrypted = url.scheme == "kafkas";
    const bool log_in = !url.user.empty();
    if (!log_in && !target.password.empty()) throw Error(Code::config, what + ": there is a password, but the url names no user", "write it like kafka://user@host:9092");
    auto& settings = target.settings;
    settings["security.protocol"] = std::string(log_in ? "sasl_" : "") + (encrypted ? "ssl" : "plaintext");
    if (log_in) {
        settings["sasl.mechanism"] = "PLAIN";
        settings["sasl.username"] = url.user;
    }
    if (encrypted) target.tls.emplace();

    auto options = config.options;
    options.insert(url.query.begin(), url.query.end());
    for (const auto& [key, value] : options) {
        refuse_secret(what, key);
        const auto own = own_names.find(key);
        if (own == own_names.end() && key.find('.') == std::string::npos) {
            std::vector<std::string> known;
            for (const auto& [name, setting] : own_names) known.push_back(name);
            throw Error(Code::config, what + ": unknown option '" + key + "'" + did_you_mean(key, known),
                        "options of a Kafka store: " + join(known, ", ") + "; any setting of librdkafka can stand in the url by its own name");
        }
        if (key.starts_with("tls_") && !encrypted) throw Error(Code::config, what + ": " + key + " is set, but the url is not encrypted", "write kafkas:// in the url, or remove " + key);
        if (key == "sasl_mechanism" && !log_in) throw Error(Code::config, what + ": sasl_mechanism is set, but the url names no user", "write it like kafka://user@host:9092");
        settings[own == own_names.end() ? key : own->second] = value;
    }
    if (encrypted) *target.tls = {settings["ssl.ca.location"], settings["ssl.certificate.location"], settings["ssl.key.location"]};
    std::erase_if(settings, [](const auto& setting) { return setting.second.empty(); });
    return target;
}

}  // namespace ysdb::kafka
