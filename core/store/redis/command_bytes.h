// Commands as bytes in Redis's protocol, one after the other: what a hot path builds without a string a word.
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>

namespace ysdb::redis {

class CommandBytes {
public:
    // Begins a command of so many words; word() follows as often.
    void begin(std::size_t words) {
        length('*', words);
        ++count_;
    }
    void word(std::string_view text) {
        length('$', text.size());
        bytes_ += text;
        bytes_ += "\r\n";
    }
    template <class... Words>
    void add(const Words&... words) {
        begin(sizeof...(words));
        (word(words), ...);
    }
    void append(const CommandBytes& other) {
        bytes_ += other.bytes_;
        count_ += other.count_;
    }
    // One whole command that is bytes already.
    void append_command(std::string_view bytes) {
        bytes_ += bytes;
        ++count_;
    }
    void clear() {
        bytes_.clear();
        count_ = 0;
    }
    const std::string& bytes() const { return bytes_; }
    std::size_t count() const { return count_; }

private:
    void length(char kind, std::size_t size) {
        std::array<char, 24> text;
        bytes_ += kind;
        bytes_.append(text.data(), static_cast<std::size_t>(std::to_chars(text.data(), text.data() + text.size(), size).ptr - text.data()));
        bytes_ += "\r\n";
    }

    std::string bytes_;
    std::size_t count_ = 0;
};

}  // namespace ysdb::redis
