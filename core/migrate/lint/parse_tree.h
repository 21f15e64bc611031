// One PostgreSQL statement as the server's own parser sees it. The only door to that parser.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ysdb::migrate::lint {

class ParseTree;

// A field of the tree: an object, a list, or a scalar. What is not there is an empty node, whose fields are empty too. A view into the tree.
class Node {
public:
    Node() = default;
    Node(const ParseTree* tree, std::uint32_t index) : tree_(tree), index_(index) {}

    explicit operator bool() const { return tree_ != nullptr; }
    // The field, or an empty node. Booleans that are false and numbers that are 0 are left out by the parser.
    Node operator[](std::string_view field) const;
    // The parser wraps a node into an object with its kind as the only field: {"ColumnDef": {...}}.
    std::string_view kind() const;
    Node body() const;
    // The body when it is of this kind, else empty.
    Node as(std::string_view kind) const { return (*this)[kind]; }
    std::string_view name() const;          // of the field
    std::string_view text() const;          // of a scalar
    bool is(std::string_view text) const { return this->text() == text; }
    bool truth() const { return is("true"); }
    std::int64_t integer(std::int64_t fallback = 0) const;
    std::size_t size() const;
    Node first() const;
    Node next() const;

    class Iterator;
    Iterator begin() const;
    Iterator end() const;

private:
    const ParseTree* tree_ = nullptr;
    std::uint32_t index_ = 0;
};

class Node::Iterator {
public:
    explicit Iterator(Node at) : at_(at) {}
    Node operator*() const { return at_; }
    Iterator& operator++() {
        at_ = at_.next();
        return *this;
    }
    bool operator!=(const Iterator&) const { return static_cast<bool>(at_); }

private:
    Node at_;
};

inline Node::Iterator Node::begin() const { return Iterator(first()); }
inline Node::Iterator Node::end() const { return Iterator(Node()); }

struct ParseFailure {
    std::string message;
    std::size_t offset = 0;     // bytes into the statement
};

// Neither copied nor moved: nodes point into it. Locations in it are bytes into the statement.
class ParseTree {
public:
    explicit ParseTree(std::string_view sql);
    ~ParseTree();
    ParseTree(const ParseTree&) = delete;
    ParseTree& operator=(const ParseTree&) = delete;

    const std::optional<ParseFailure>& failure() const { return failure_; }
    // The statement in its wrapper: statement().kind() is "AlterTableStmt". Empty after a failure, and for no statement.
    Node statement() const;

private:
    friend class Node;
    struct Item {
        std::string_view name, text;
        std::uint32_t first = 0, next = 0;   // 0: none, as the root is nobody's child
    };
    class Reader;

    std::vector<Item> items_;
    std::deque<std::string> unescaped_;
    std::string json_;
    std::optional<ParseFailure> failure_;
};

}  // namespace ysdb::migrate::lint
