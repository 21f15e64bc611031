// Certificates for tests: an authority of the test's own, and what it signs.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

struct evp_pkey_st;
struct x509_st;

namespace ysdb::test {

// PEM files.
struct Certificate {
    std::string file;
    std::string key_file;
};

// Writes into `directory`, which must outlive it.
class Authority {
public:
    Authority(std::filesystem::path directory, const std::string& name);

    const std::string& file() const { return own_.file; }
    // `names` as in subjectAltName: "IP:127.0.0.1,DNS:localhost". Valid from three days ago; `days` below zero: no more.
    Certificate issue(const std::string& name, const std::string& names, int days = 2) const;

private:
    using Key = std::unique_ptr<evp_pkey_st, void (*)(evp_pkey_st*)>;
    using Body = std::unique_ptr<x509_st, void (*)(x509_st*)>;

    static Key make_key();
    Body make(const std::string& name, const Key& key, int days) const;
    Certificate write(const std::string& name, const Body& body, const Key& key) const;

    std::filesystem::path directory_;
    Key key_;
    Body body_;
    Certificate own_;
};

}  // namespace ysdb::test
