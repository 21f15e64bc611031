#include "core/store/rest/rest.h"

#include <nlohmann/json.hpp>

#include "core/base/http.h"
#include "core/base/text.h"
#include "core/base/url.h"

namespace ysdb::rest {

namespace {

using Json = nlohmann::json;

std::string text_at(const Json& object, const char* key) {
    return object.is_object() && object.contains(key) && object[key].is_string() ? object[key].get<std::string>() : std::string();
}

// What differs between the products.
struct Product {
    const char* name;
    int port;
    bool key_alone;              // the password is an API key, sent as a bearer token; otherwise user and password
    const char* version_path;
    // Completes the result from the answer at `version_path`; false when that is not this product's.
    bool (*read)(const Json& answer, ProbeResult& result);
};

bool read_weaviate(const Json& answer, ProbeResult& result) {
    result.version = text_at(answer, "version");
    if (result.version.empty() || !answer.contains("hostname")) return false;
    const std::size_t modules = answer.contains("modules") && answer["modules"].is_object() ? answer["modules"].size() : 0;
    result.detail = std::to_string(modules) + (modules == 1 ? " module" : " modules");
    return true;
}

bool read_arango(const Json& answer, ProbeResult& result) {
    result.version = text_at(answer, "version");
    result.detail = text_at(answer, "license") + " edition";
    return text_at(answer, "server") == "arango" && !result.version.empty();
}

constexpr Product weaviate{"Weaviate", 8080, true, "/v1/meta", read_weaviate};
constexpr Product arango{"ArangoDB", 8529, false, "/_api/version", read_arango};

class RestStore final : public Store {
public:
    RestStore(const StoreConfig& config, const Product& product)
        : Store(config), product_(product), url_(parse_url(config.url, "store '" + config.name + "'", product.port)) {
        base_ = (url_.scheme.ends_with("s") ? "https://" : "http://") + url_.hosts.front().text();
        const std::string& password = config.password.empty() ? url_.password : config.password.reveal();
        if (product_.key_alone && !password.empty()) login_ = Secret("Authorization: Bearer " + password);
        if (!product_.key_alone && !url_.user.empty()) login_ = Secret("Authorization: Basic " + base64(url_.user + ":" + password));
    }

    std::string redacted_url() const override { return url_.redacted(); }

    ProbeResult probe(Deadline deadline) override {
        ProbeResult result;
        result.product = product_.name;
        result.role = "standalone";
        const auto start = SteadyClock::now();
        const HttpResponse response = get(product_.version_path, deadline);
        result.latency_s = std::chrono::duration<double>(SteadyClock::now() - start).count();
        if (response.status == 401 || response.status == 403) {
            throw Error(Code::connect, what() + ": the server refused the login", "check the user and password_file of [stores." + name() + "]");
        }
        if (response.status != 200 || !product_.read(Json::parse(response.body, nullptr, false), result)) {
            throw Error(Code::connect, what() + ": the answer is not " + product_.name + "'s", "check host and port of the url");
        }
        return result;
    }

private:
    std::string what() const { return "store '" + name() + "': cannot connect to " + redacted_url(); }

    HttpResponse get(const std::string& path, Deadline deadline) const {
        try {
            return http_get(base_ + path, deadline, login_.empty() ? std::vector<std::string>{} : std::vector<std::string>{login_.reveal()});
        } catch (const Error& error) {
            throw Error(error.code(), what() + ": " + error.message(), "is the server running, and is the url right? try: ysdb doctor").with_retryable(error.retryable());
        }
    }

    const Product& product_;
    Url url_;
    std::string base_;
    Secret login_;
};

}  // namespace

std::unique_ptr<Store> open_weaviate(const StoreConfig& config) { return std::make_unique<RestStore>(config, weaviate); }
std::unique_ptr<Store> open_arango(const StoreConfig& config) { return std::make_unique<RestStore>(config, arango); }

}  // namespace ysdb::rest
