#include "tests/live/certificates.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdio>

#include "core/base/error.h"

namespace ysdb::test {

namespace {

constexpr long day_s = 24 * 3600;

void need(bool done, const std::string& what) {
    if (!done) throw Error(Code::internal, "cannot make a certificate: " + what);
}

void extend(X509* certificate, X509* issuer, int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, void (*)(X509_EXTENSION*)> extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()), X509_EXTENSION_free);
    need(extension && X509_add_ext(certificate, extension.get(), -1) == 1, value);
}

template <class Write>
void write_pem(const std::string& file, const Write& write) {
    const std::unique_ptr<FILE, int (*)(FILE*)> out(std::fopen(file.c_str(), "w"), std::fclose);
    need(out && write(out.get()) == 1, file);
}

}  // namespace

Authority::Authority(std::filesystem::path directory, const std::string& name)
    : directory_(std::move(directory)), key_(make_key()), body_(nullptr, X509_free) {
    body_ = make(name, key_, 2);
    extend(body_.get(), body_.get(), NID_basic_constraints, "critical,CA:TRUE");
    extend(body_.get(), body_.get(), NID_key_usage, "critical,keyCertSign,digitalSignature");
    extend(body_.get(), body_.get(), NID_subject_key_identifier, "hash");
    need(X509_sign(body_.get(), key_.get(), EVP_sha256()) > 0, name);
    own_ = write(name, body_, key_);
}

Certificate Authority::issue(const std::string& name, const std::string& names, int days) const {
    const Key key = make_key();
    const Body body = make(name, key, days);
    extend(body.get(), body_.get(), NID_subject_alt_name, names);
    extend(body.get(), body_.get(), NID_authority_key_identifier, "keyid");
    need(X509_sign(body.get(), key_.get(), EVP_sha256()) > 0, name);
    return write(name, body, key);
}

Authority::Key Authority::make_key() {
    Key key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    need(key != nullptr, "no key");
    return key;
}

Authority::Body Authority::make(const std::string& name, const Key& key, int days) const {
    static long serial = 0;
    Body body(X509_new(), X509_free);
    X509_set_version(body.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(body.get()), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(body.get()), -3 * day_s);
    X509_gmtime_adj(X509_getm_notAfter(body.get()), days * day_s);
    X509_set_pubkey(body.get(), key.get());
    X509_NAME* subject = X509_get_subject_name(body.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(body.get(), body_ ? X509_get_subject_name(body_.get()) : subject);
    return body;
}

Certificate Authority::write(const std::string& name, const Body& body, const Key& key) const {
    const Certificate made{(directory_ / (name + ".pem")).string(), (directory_ / (name + ".key")).string()};
    write_pem(made.file, [&](FILE* out) { return PEM_write_X509(out, body.get()); });
    write_pem(made.key_file, [&](FILE* out) { return PEM_write_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
    chmod(made.key_file.c_str(), 0600);
    return made;
}

}  // namespace ysdb::test
