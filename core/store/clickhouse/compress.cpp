#include "core/store/clickhouse/compress.h"

#include <zstd.h>

#include "core/base/error.h"

namespace ysdb::clickhouse {

ZstdCompressor::ZstdCompressor() : context_(ZSTD_createCCtx()) {
    if (context_ == nullptr) throw Error(Code::internal, "no memory to compress");
    ZSTD_CCtx_setParameter(static_cast<ZSTD_CCtx*>(context_), ZSTD_c_compressionLevel, 1);
}

ZstdCompressor::~ZstdCompressor() { ZSTD_freeCCtx(static_cast<ZSTD_CCtx*>(context_)); }

void ZstdCompressor::step(std::string_view bytes, int mode, std::string& out) {
    ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
    std::size_t left = 1;
    while (left != 0 || input.pos < input.size) {
        const std::size_t at = out.size();
        out.resize(at + ZSTD_CStreamOutSize());
        ZSTD_outBuffer output{out.data() + at, out.size() - at, 0};
        left = ZSTD_compressStream2(static_cast<ZSTD_CCtx*>(context_), &output, &input, static_cast<ZSTD_EndDirective>(mode));
        out.resize(at + output.pos);
        if (ZSTD_isError(left) != 0) throw Error(Code::internal, std::string("cannot compress: ") + ZSTD_getErrorName(left));
        if (mode == ZSTD_e_continue && input.pos == input.size) return;
    }
}

void ZstdCompressor::add(std::string_view bytes, std::string& out) { step(bytes, ZSTD_e_continue, out); }
void ZstdCompressor::flush(std::string& out) { step({}, ZSTD_e_flush, out); }
void ZstdCompressor::finish(std::string& out) { step({}, ZSTD_e_end, out); }

}  // namespace ysdb::clickhouse
