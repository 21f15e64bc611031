#include "core/base/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include <cerrno>
#include <cstring>

#include "core/base/error.h"
#include "core/base/text.h"

namespace ysdb {

struct TlsClient::Handles {
    std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context{SSL_CTX_new(TLS_client_method()), SSL_CTX_free};
    std::unique_ptr<SSL, void (*)(SSL*)> session{nullptr, SSL_free};
};

namespace {

std::string last_reason() {
    const unsigned long number = ERR_peek_error();
    ERR_clear_error();
    const char* reason = number == 0 ? nullptr : ERR_reason_error_string(number);
    return reason == nullptr ? "unknown reason" : lower(reason);
}

void need(bool done, const std::string& what) {
    if (!done) throw Error(Code::config, what + ": " + last_reason(), "check the store's tls_ca, tls_cert and tls_key");
}

bool is_address(const std::string& host) {
    unsigned char bytes[16];
    return inet_pton(AF_INET, host.c_str(), bytes) == 1 || inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

}  // namespace

TlsClient::TlsClient(int fd, const TlsOptions& options, const std::string& host)
    : handles_(std::make_unique<Handles>()), host_(host), read_wants_(POLLIN), write_wants_(POLLOUT) {
    ERR_clear_error();
    SSL_CTX* context = handles_->context.get();
    need(context != nullptr, "cannot start TLS");
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    if (options.ca_file.empty()) {
        need(SSL_CTX_set_default_verify_paths(context) == 1, "cannot read the system's root certificates");
    } else {
        need(SSL_CTX_load_verify_locations(context, options.ca_file.c_str(), nullptr) == 1, "cannot read the certificates in " + options.ca_file);
    }
    if (!options.cert_file.empty()) {
        need(SSL_CTX_use_certificate_chain_file(context, options.cert_file.c_str()) == 1, "cannot read the certificate in " + options.cert_file);
        const std::string& key = options.key_file.empty() ? options.cert_file : options.key_file;
        need(SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) == 1, "cannot use the private key in " + key);
    }
    handles_->session.reset(SSL_new(context));
    SSL* session = handles_->session.get();
    need(session != nullptr, "cannot start TLS");
    if (is_address(host)) {
        need(X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host.c_str()) == 1, "cannot verify the address " + host);
    } else {
        need(SSL_set1_host(session, host.c_str()) == 1 && SSL_set_tlsext_host_name(session, host.c_str()) == 1, "cannot verify the host " + host);
    }
    need(SSL_set_fd(session, fd) == 1, "cannot start TLS");
}

TlsClient::~TlsClient() = default;

bool TlsClient::handshake() {
    ERR_clear_error();
    const int result = SSL_connect(handles_->session.get());
    if (result == 1) return true;
    if (blocked(result, read_wants_)) return false;
    const long verdict = SSL_get_verify_result(handles_->session.get());
    if (verdict != X509_V_OK) {
        throw Error(Code::connect, "the TLS certificate of " + host_ + " is not trusted: " + lower(X509_verify_cert_error_string(verdict)),
                    "name the certificate that signed it with tls_ca = \"FILE\", and check the host name of the url");
    }
    fail("in the TLS handshake");
}

std::size_t TlsClient::write_some(std::string_view data) {
    ERR_clear_error();
    std::size_t sent = 0;
    const int result = SSL_write_ex(handles_->session.get(), data.data(), data.size(), &sent);
    write_wants_ = POLLOUT;
    if (result == 1 || blocked(result, write_wants_)) return sent;
    fail("while sending");
}

std::optional<std::size_t> TlsClient::read_some(std::span<char> into) {
    ERR_clear_error();
    std::size_t got = 0;
    const int result = SSL_read_ex(handles_->session.get(), into.data(), into.size(), &got);
    read_wants_ = POLLIN;
    if (result == 1) return got;
    if (SSL_get_error(handles_->session.get(), result) == SSL_ERROR_ZERO_RETURN) return 0;
    if (blocked(result, read_wants_)) return std::nullopt;
    fail("while receiving");
}

bool TlsClient::pending() const { return SSL_pending(handles_->session.get()) > 0; }

bool TlsClient::blocked(int result, short& wants) {
    const int reason = SSL_get_error(handles_->session.get(), result);
    if (reason == SSL_ERROR_WANT_READ) wants = POLLIN;
    if (reason == SSL_ERROR_WANT_WRITE) wants = POLLOUT;
    return reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE;
}

void TlsClient::fail(const char* doing) {
    const int number = errno;
    const unsigned long error = ERR_peek_error();
    if (error == 0 || ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        ERR_clear_error();
        const std::string reason = error != 0 || number == 0 ? "connection closed" : lower(std::strerror(number));
        throw Error(Code::connect, reason + " " + doing).with_retryable();
    }
    throw Error(Code::connect, "tls error " + std::string(doing) + ": " + last_reason(), "does the server speak TLS on this port?");
}

}  // namespace ysdb
