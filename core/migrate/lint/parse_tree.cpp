#include "core/migrate/lint/parse_tree.h"

#include <pg_query.h>

#include <charconv>

#include "core/migrate/source.h"

namespace ysdb::migrate::lint {

// The parser writes its tree as JSON, and this takes it apart without copying it: a general JSON library spends several times what the
// parser itself needs. Machine-made input; what does not look as it should ends the reading.
class ParseTree::Reader {
public:
    Reader(ParseTree& tree) : tree_(tree), json_(tree.json_) {}
    bool read() {
        tree_.items_.push_back({});
        return value(0, 0);
    }

private:
    static constexpr int deepest = 5'000;

    char peek() {
        while (at_ < json_.size() && (json_[at_] == ' ' || json_[at_] == '\n' || json_[at_] == '\t' || json_[at_] == '\r')) ++at_;
        return at_ < json_.size() ? json_[at_] : '\0';
    }

    bool value(std::uint32_t into, int depth) {
        if (depth > deepest) return false;
        const char c = peek();
        if (c == '{' || c == '[') return members(into, c == '{', depth);
        if (c == '"') return string(tree_.items_[into].text);
        const auto end = std::min(json_.find_first_of(",]} \n", at_), json_.size());
        tree_.items_[into].text = json_.substr(at_, end - at_);
        at_ = end;
        return !tree_.items_[into].text.empty();
    }

    bool members(std::uint32_t into, bool object, int depth) {
        const char close = object ? '}' : ']';
        ++at_;
        std::uint32_t last = 0;
        if (peek() == close) return ++at_, true;
        while (true) {
            const auto item = static_cast<std::uint32_t>(tree_.items_.size());
            tree_.items_.push_back({});
            (last == 0 ? tree_.items_[into].first : tree_.items_[last].next) = item;
            last = item;
            if (object) {
                if (peek() != '"' || !string(tree_.items_[item].name) || peek() != ':') return false;
                ++at_;
            }
            if (!value(item, depth + 1)) return false;
            const char c = peek();
            ++at_;
            if (c == close) return true;
            if (c != ',') return false;
        }
    }

    bool string(std::string_view& out) {
        const std::size_t begin = ++at_;
        const auto stop = json_.find_first_of("\"\\", at_);
        if (stop == std::string_view::npos) return false;
        if (json_[stop] == '"') {
            out = json_.substr(begin, stop - begin);
            at_ = stop + 1;
            return true;
        }
        std::string text(json_.substr(begin, stop - begin));
        for (at_ = stop; at_ < json_.size(); ++at_) {
            const char c = json_[at_];
            if (c == '"') {
                ++at_;
                out = tree_.unescaped_.emplace_back(std::move(text));
                return true;
            }
            if (c != '\\') text += c;
            else if (++at_ < json_.size()) escape(text);
        }
        return false;
    }

    void escape(std::string& text) {
        switch (json_[at_]) {
            case 'n': text += '\n'; return;
            case 't': text += '\t'; return;
            case 'r': text += '\r'; return;
            case 'b': text += '\b'; return;
            case 'f': text += '\f'; return;
            case 'u': {  // written for control characters and for < and > only
                unsigned code = 0;
                const auto digits = json_.substr(at_ + 1, 4);
                std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
                text += code < 0x80 ? static_cast<char>(code) : '?';
                at_ += 4;
                return;
            }
            default: text += json_[at_];
        }
    }

    ParseTree& tree_;
    std::string_view json_;
    std::size_t at_ = 0;
};

ParseTree::ParseTree(std::string_view sql) {
    const std::string text(sql);
    PgQueryParseResult result = pg_query_parse(text.c_str());
    if (result.error != nullptr) {
        const auto position = static_cast<std::size_t>(std::max(result.error->cursorpos, 1));
        failure_ = ParseFailure{result.error->message, std::min(byte_of_character(sql, position), sql.empty() ? 0 : sql.size() - 1)};
    } else {
        json_ = result.parse_tree;
    }
    pg_query_free_parse_result(result);
    if (failure_) return;
    items_.reserve(json_.size() / 16 + 8);
    if (!Reader(*this).read()) failure_ = ParseFailure{"the parser's answer cannot be read", 0};
}

ParseTree::~ParseTree() = default;

Node ParseTree::statement() const { return failure_ ? Node() : Node(this, 0)["stmts"].first()["stmt"]; }

Node Node::operator[](std::string_view field) const {
    for (Node node = first(); node; node = node.next()) {
        if (node.name() == field) return node;
    }
    return {};
}

std::string_view Node::kind() const { return first() ? first().name() : std::string_view(); }
Node Node::body() const { return first(); }
std::string_view Node::name() const { return tree_ ? tree_->items_[index_].name : std::string_view(); }
std::string_view Node::text() const { return tree_ ? tree_->items_[index_].text : std::string_view(); }

std::int64_t Node::integer(std::int64_t fallback) const {
    std::int64_t value = fallback;
    std::from_chars(text().data(), text().data() + text().size(), value);
    return value;
}

std::size_t Node::size() const {
    std::size_t count = 0;
    for (Node node = first(); node; node = node.next()) ++count;
    return count;
}

Node Node::first() const {
    const std::uint32_t index = tree_ ? tree_->items_[index_].first : 0;
    return index == 0 ? Node() : Node(tree_, index);
}

Node Node::next() const {
    const std::uint32_t index = tree_ ? tree_->items_[index_].next : 0;
    return index == 0 ? Node() : Node(tree_, index);
}

}  // namespace ysdb::migrate::lint
