// Statements of a migration file: where each begins and ends, and a checksum that only a change of meaning changes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/migrate/scan.h"

namespace ysdb::migrate {

struct Statement {
    std::size_t begin = 0;            // first token; comments before it belong to nothing
    std::size_t end = 0;              // behind the last token, the semicolon left out
    bool copies = false;              // COPY ... FROM STDIN: its rows follow
    std::size_t rows_begin = 0;
    std::size_t rows_end = 0;
    std::string probe;                // "-- migrate:probe SQL" in front of it
    std::optional<std::string> batch; // the options of "-- migrate:batch size:N ..." in front of it
    std::size_t batch_at = 0;         // where that comment begins
    int block = 0;                    // in a file without a transaction: those with one number stand between a BEGIN and its COMMIT; 0: in none
    // SHA-256 over the tokens (law 20): literals verbatim but for CR LF, which counts as LF; comments and blanks not at all; PostgreSQL's
    // unquoted words in lower case. The same for ever: history compares it.
    std::string hash;

    std::string_view text(const Source& source) const { return std::string_view(source.text).substr(begin, end - begin); }
    std::string_view rows(const Source& source) const { return std::string_view(source.text).substr(rows_begin, rows_end - rows_begin); }
};

// "-- migrate:WORD REST" at the beginning of a line.
struct Directive {
    std::string word;                 // empty: the comment is none
    std::string rest;
};
Directive read_directive(const Source& source, const Token& comment);

// Takes statements off a scanner, one a call.
class Splitter {
public:
    Splitter(const Source& source, Dialect dialect) : source_(source), dialect_(dialect), scanner_(source, dialect) {}

    struct Item {
        enum class Kind { statement, directive, end } kind = Kind::end;
        Statement statement;
        Directive directive;
        std::size_t begin = 0;        // of the directive
    };
    // Throws Error(refused) with the place for text that is not whole. A directive inside a statement ends it.
    Item next();

private:
    class Shape;
    void add_to_hash(std::string& canonical, const Token& token) const;
    void take_copy_rows(Statement& statement, std::string& canonical);

    const Source& source_;
    Dialect dialect_;
    Scanner scanner_;
};

}  // namespace ysdb::migrate
