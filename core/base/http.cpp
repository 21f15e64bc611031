#include "core/base/http.h"

#include <curl/curl.h>

#include <memory>
#include <mutex>

#include "core/base/error.h"

namespace ysdb {

namespace {

struct FreeHandle {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

std::size_t append(char* data, std::size_t size, std::size_t count, void* into) {
    static_cast<std::string*>(into)->append(data, size * count);
    return size * count;
}

// scheme://host:port without user, path and query.
std::string origin(const std::string& url) {
    const auto authority = url.find("://") + 3;
    std::string host = url.substr(authority, url.find_first_of("/?", authority) - authority);
    if (const auto at = host.rfind('@'); at != std::string::npos) host.erase(0, at + 1);
    return url.substr(0, authority) + host;
}

HttpResponse request(const std::string& url, const std::string_view* body, Deadline deadline, const std::vector<std::string>& headers) {
    static std::once_flag started;
    std::call_once(started, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    const std::unique_ptr<CURL, FreeHandle> handle(curl_easy_init());
    if (!handle) throw Error(Code::internal, "cannot start an HTTP request");
    std::unique_ptr<curl_slist, FreeList> list;
    for (const std::string& header : headers) list.reset(curl_slist_append(list.release(), header.c_str()));
    HttpResponse response;
    char reason[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(handle.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle.get(), CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<long long>(1, deadline.left().count())));
    curl_easy_setopt(handle.get(), CURLOPT_WRITEFUNCTION, append);
    curl_easy_setopt(handle.get(), CURLOPT_WRITEDATA, &response.body);
    curl_easy_setopt(handle.get(), CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, list.get());
    if (body != nullptr) {
        curl_easy_setopt(handle.get(), CURLOPT_POST, 1L);
        curl_easy_setopt(handle.get(), CURLOPT_POSTFIELDS, body->data());
        curl_easy_setopt(handle.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body->size()));
    }
    const CURLcode failed = curl_easy_perform(handle.get());
    if (failed != CURLE_OK) {
        throw Error(Code::connect, "no answer from " + origin(url) + ": " + (reason[0] != '\0' ? reason : curl_easy_strerror(failed))).with_retryable();
    }
    long status = 0;
    curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
    response.status = static_cast<int>(status);
    return response;
}

}  // namespace

HttpResponse http_get(const std::string& url, Deadline deadline, const std::vector<std::string>& headers) { return request(url, nullptr, deadline, headers); }

HttpResponse http_post(const std::string& url, std::string_view body, Deadline deadline, const std::vector<std::string>& headers) {
    return request(url, &body, deadline, headers);
}

}  // namespace ysdb
