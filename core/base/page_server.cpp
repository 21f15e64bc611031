#include "core/base/page_server.h"

#include <microhttpd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "core/base/address.h"
#include "core/base/error.h"

namespace ysdb {

namespace {

constexpr unsigned connections = 16;
constexpr unsigned idle_s = 10;

MHD_Result send(MHD_Connection* connection, unsigned status, const std::string& text) {
    MHD_Response* response = MHD_create_response_from_buffer(text.size(), const_cast<char*>(text.data()), MHD_RESPMEM_MUST_COPY);
    if (response == nullptr) return MHD_NO;
    MHD_add_response_header(response, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    const MHD_Result queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

}  // namespace

struct PageServer::Impl {
    std::string path;
    std::function<std::string()> text;
    MHD_Daemon* daemon = nullptr;

    static MHD_Result on_request(void* self, MHD_Connection* connection, const char* url, const char* method, const char*, const char*, std::size_t*, void**) {
        const auto& page = *static_cast<Impl*>(self);
        try {
            if (std::string_view(url) != page.path) return send(connection, MHD_HTTP_NOT_FOUND, "there is only " + page.path + "\n");
            if (std::string_view(method) != "GET" && std::string_view(method) != "HEAD") return send(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET alone\n");
            return send(connection, MHD_HTTP_OK, page.text());
        } catch (...) {
            return MHD_NO;
        }
    }
};

PageServer::PageServer(const Endpoint& listen, std::string path, std::function<std::string()> text) : impl_(std::make_unique<Impl>(Impl{std::move(path), std::move(text)})) {
    const Address address = look_up(listen, Deadline::after(Millis(5'000))).front();
    const unsigned family = address.bytes.ss_family == AF_INET6 ? static_cast<unsigned>(MHD_USE_IPv6) : 0u;
    impl_->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC | family, 0, nullptr, nullptr, &Impl::on_request, impl_.get(), MHD_OPTION_SOCK_ADDR,
                                     reinterpret_cast<const sockaddr*>(&address.bytes), MHD_OPTION_CONNECTION_LIMIT, connections, MHD_OPTION_CONNECTION_TIMEOUT, idle_s,
                                     MHD_OPTION_END);
    if (impl_->daemon == nullptr) throw Error(Code::config, "cannot listen on " + listen.text() + ": " + std::strerror(errno), "choose an address of this machine and a free port");
}

PageServer::~PageServer() { MHD_stop_daemon(impl_->daemon); }

int PageServer::port() const { return MHD_get_daemon_info(impl_->daemon, MHD_DAEMON_INFO_BIND_PORT)->port; }

}  // namespace ysdb
