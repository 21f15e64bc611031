// What a sink is too slow to take, on disk, in order.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "core/store/changes.h"

namespace ysdb::sync {

// Files have no name and go with the process: the source keeps its log until the sink has everything, so a run that died reads it again. Memory does
// not grow with what is kept, only with the changes of shape in it. Not thread-safe.
class Spill {
public:
    // `limit`: bytes it may take in `directory`.
    Spill(std::string directory, std::uint64_t limit);
    ~Spill();

    // False: it would go beyond the limit, or the disk took none of it (trouble() says why); nothing of it was kept.
    bool push(const Segment& segment);
    // The oldest one, with what a sink needs of it: Segment::rejected is empty. Throws Error(refused) when it cannot be read.
    std::shared_ptr<const Segment> pop();

    std::uint64_t bytes() const { return bytes_; }
    const std::string& trouble() const { return trouble_; }

private:
    struct Chunk;

    std::string directory_;
    std::uint64_t limit_, bytes_ = 0;
    std::string trouble_;
    std::deque<std::unique_ptr<Chunk>> chunks_;                  // the first is read, the last is written
    std::vector<std::shared_ptr<const TableInfo>> tables_;       // of rows, by the number in the record
    std::deque<SegmentPart> others_;                             // parts that are no rows, in order
    std::string record_;                                         // buffer
};

}  // namespace ysdb::sync
