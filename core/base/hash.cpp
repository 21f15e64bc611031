#include "core/base/hash.h"

#define OPENSSL_SUPPRESS_DEPRECATED  // SHA256_Init() and its like
#include <openssl/evp.h>
#include <openssl/sha.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <fstream>
#include <memory>
#include <vector>

#include "core/base/error.h"
#include "core/base/hex.h"

namespace ysdb {

namespace {

class Digest {
public:
    explicit Digest(const EVP_MD* kind) : context_(EVP_MD_CTX_new()) {
        if (!context_ || EVP_DigestInit_ex(context_.get(), kind, nullptr) != 1) throw Error(Code::internal, "cannot start a digest");
    }
    void add(const void* data, std::size_t size) { EVP_DigestUpdate(context_.get(), data, size); }
    std::string finish() {
        std::string bytes(EVP_MAX_MD_SIZE, '\0');
        unsigned size = 0;
        EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(bytes.data()), &size);
        bytes.resize(size);
        return bytes;
    }

private:
    struct Free {
        void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };
    std::unique_ptr<EVP_MD_CTX, Free> context_;
};

std::string digest_file(const std::string& path, const EVP_MD* kind) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw Error(Code::internal, "cannot read '" + path + "'");
    Digest digest(kind);
    std::vector<char> buffer(1 << 20);
    while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || file.gcount() > 0) {
        digest.add(buffer.data(), static_cast<std::size_t>(file.gcount()));
    }
    return digest.finish();
}

}  // namespace

// Without EVP: the first look for a digest there loads configuration and providers, which takes longer than the hashes of a thousand files.
std::string sha256_hex(std::string_view bytes) {
    SHA256_CTX state;
    char sum[SHA256_DIGEST_LENGTH];
    if (SHA256_Init(&state) != 1 || SHA256_Update(&state, bytes.data(), bytes.size()) != 1 || SHA256_Final(reinterpret_cast<unsigned char*>(sum), &state) != 1) throw Error(Code::internal, "cannot compute a digest");
    return to_hex({sum, sizeof sum});
}

std::string sha256_file_hex(const std::string& path) { return to_hex(digest_file(path, EVP_sha256())); }

std::string sha512_file_base64(const std::string& path) {
    const std::string bytes = digest_file(path, EVP_sha512());
    std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
    text.resize(static_cast<std::size_t>(size));
    return text;
}

Hash128 xxh128(const void* data, std::size_t size, std::uint64_t seed) {
    const XXH128_hash_t hash = XXH3_128bits_withSeed(data, size, seed);
    return {hash.low64, hash.high64};
}

}  // namespace ysdb
