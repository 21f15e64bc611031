// Streaming zstd, level 1: on a network it costs less than the bytes it saves.
#pragma once

#include <string>
#include <string_view>

namespace ysdb::clickhouse {

// Not thread-safe.
class ZstdCompressor {
public:
    ZstdCompressor();
    ~ZstdCompressor();
    ZstdCompressor(const ZstdCompressor&) = delete;
    ZstdCompressor& operator=(const ZstdCompressor&) = delete;
    // Append to `out` what is ready; flush: all so far; finish: the end of the frame, after which a new one may begin.
    void add(std::string_view bytes, std::string& out);
    void flush(std::string& out);
    void finish(std::string& out);

private:
    void step(std::string_view bytes, int mode, std::string& out);
    void* context_;
};

}  // namespace ysdb::clickhouse
