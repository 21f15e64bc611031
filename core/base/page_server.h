// One page over HTTP: metrics for who scrapes them.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/base/url.h"

namespace ysdb {

// Answers GET of `path` with what `text` returns then, as plain text; everything else with 404 or 405. `text` is called on threads of its own,
// several at once. Throws Error(config) when it cannot listen there.
class PageServer {
public:
    PageServer(const Endpoint& listen, std::string path, std::function<std::string()> text);
    ~PageServer();   // waits for requests that are being answered
    PageServer(const PageServer&) = delete;
    PageServer& operator=(const PageServer&) = delete;
    int port() const;   // the one it got, when 0 was asked for

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace ysdb
