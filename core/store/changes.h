// Changes as a source tells them and a sink takes them: the capabilities that sync is made of.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/value/batch.h"
#include "core/value/shape.h"
#include "core/value/type.h"

namespace ysdb {

class RowSource;
class RowWriter;
class SourceSnapshot;
struct RejectedRow;

// --- What travels ---

// Changes of one table in a row, or something that happened to the table as a whole.
struct SegmentPart {
    // renew: a new copy of the table follows, as rows: a halted table can be followed again.
    enum class Kind { rows, truncate, shape, halt, renew };
    Kind kind = Kind::rows;
    std::shared_ptr<const TableInfo> table;   // in the shape that holds from here on
    ChangeBatch changes = {};                 // rows: one op and one version a row; a removal has its key's cells, the others are NULL
    Version version = {};                     // of the truncation, of the change of shape
    std::vector<ColumnChange> columns = {};   // shape; empty the first time a table is seen
    std::string reason = {};                  // halt: why the table cannot be followed from here on without a new copy
};

// A row that no Batch can hold, where it stood in the stream.
struct RejectedChange {
    TableRef table;
    std::string key;      // as people read it
    std::string column;
    std::string reason;
    Version version;
};

// A stretch of the stream, in commit order; immutable once read. A large transaction is spread over several.
struct Segment {
    std::vector<SegmentPart> parts;
    std::vector<RejectedChange> rejected;
    std::uint64_t complete = 0;        // everything below this position is told with this segment; 0: a transaction is still open
    std::int64_t commit_micros = 0;    // when the last transaction in it was committed, since 1970; 0: none was
    std::int64_t first_commit_micros = 0;  // and the first
    std::uint64_t rows = 0;
    std::size_t bytes = 0;             // of all parts, about
    // So many of the parts are whole: a change of shape, a halt among the others is of a transaction that is told to its end by later segments.
    std::size_t whole = static_cast<std::size_t>(-1);
};

// --- Sources ---

// Where the server stands, and what it keeps for one set. Positions: 0 where there is none.
struct CaptureState {
    std::string system;                 // identity of the cluster
    std::uint32_t timeline = 0;
    std::uint64_t position = 0;         // end of what was written
    bool installed = false;             // the slot (the triggers) are there
    std::uint64_t confirmed = 0;        // what the server may forget
    std::uint64_t retained_bytes = 0;   // kept for this set
    std::optional<std::uint64_t> left_bytes;  // until the server gives the set up; none: it never does
    std::string health;                 // "reserved", "extended", "unreserved", "lost"

    // Three quarters of what the server keeps for a set at most are used: it gives the set up before long.
    bool running_out() const { return left_bytes && *left_bytes < (*left_bytes + retained_bytes) / 4; }

    std::int64_t active_pid = 0;        // who reads now; 0: nobody
};

// Whether nobody wants the table's column of that name.
using LeftOut = std::function<bool(const TableRef& table, const std::string& column)>;

struct CaptureOptions {
    std::string set;                             // names the slot and the publication
    std::vector<TableRef> tables;
    std::uint32_t epoch = 1;                     // of the versions told
    std::uint64_t start = 0;                     // where reading goes on: what was acknowledged last
    std::map<TableRef, std::vector<ColumnInfo>> known;  // name, number and native type of the columns the sinks know; a table that is missing is new
    // By table: what was committed below is wanted by nobody, it is in their copies: neither changes nor shapes nor reasons to halt are told. A table
    // that is missing is told from `start` on.
    std::map<TableRef, std::uint64_t> from;
    // Columns that are in the shapes but not in the rows: their values are neither read nor asked for, every row has NULL there, and what happens to
    // them halts nothing. Empty: every column is wanted.
    LeftOut left_out;
    std::size_t segment_bytes = 1u << 20;
    Millis answer_within{60'000};                // a server that was asked for a sign of life and gives none is taken for gone
    Millis timeout{30'000};                      // limit of each question that the server is asked beside the stream
    std::string spool_directory = "/var/tmp";    // where transactions wait that are told before they are committed
};

// Reads one set's changes. Not thread-safe.
class ChangeSource {
public:
    virtual ~ChangeSource() = default;
    // What comes within `wait`: returns as soon as a transaction is whole and no more bytes are at hand (a busy stream is asked for them once a
    // millisecond), or enough were read. An empty segment with `complete` set tells that the source has nothing below it. Throws
    // Error(connect, retryable) when the stream broke: open it again. Error(interrupted) on `stop`.
    virtual Segment read(Millis wait, std::stop_token stop) = 0;
    // Everything below `position` is durable wherever it goes; the source may forget it. Call it at least every few seconds, also while
    // nothing is read: the server takes silence for death. It is told about once a second, or `at_once`.
    virtual void acknowledge(std::uint64_t position, bool at_once = false) = 0;
};

// How a store tells its changes. Thread-safe.
class ChangeCapture {
public:
    virtual ~ChangeCapture() = default;
    // Throws Error(connect, retryable) where the server is a replica that may yet be promoted.
    virtual CaptureState look(const std::string& set, Deadline deadline) = 0;
    // What install() would do, as statements; reads only. Throws Error(refused) naming what the server or a table lacks, and how to mend it.
    virtual std::vector<std::string> plan_install(const std::string& set, std::span<const TableRef> tables, Deadline deadline) = 0;
    virtual void install(const std::string& set, std::span<const TableRef> tables, Deadline deadline) = 0;
    // Drops what install() made.
    virtual void remove(const std::string& set, Deadline deadline) = 0;
    virtual std::unique_ptr<ChangeSource> open(const CaptureOptions& options, Deadline deadline) = 0;
    // After a failover: where the history of what the server is on now left that timeline. What was committed below is still there, what was
    // committed from there on is not. None: it never was on that timeline, or cannot say.
    virtual std::optional<std::uint64_t> left_timeline(std::uint32_t /*timeline*/, Deadline /*deadline*/) { return std::nullopt; }
    // A view of the tables that fits the stream: what was committed below its position() is in it, everything else is not and will be told.
    virtual std::unique_ptr<SourceSnapshot> snapshot(const std::string& set, std::span<const TableRef> tables, Deadline deadline) = 0;
    // Table as the stream tells it: columns it leaves out are not there.
    virtual TableInfo describe(const TableRef& table, Deadline deadline) = 0;
    // Who reads the tables of snapshot(); null: the store itself.
    virtual RowSource* rows() { return nullptr; }
};

// --- Sinks ---

// Where a table of the source goes. Each driver reads what is its own.
struct Landing {
    std::string set;
    TableRef source;
    TableRef target;                          // ClickHouse
    std::string key;                          // Redis: "portfolio:{user_id}:{asset_id}"
    std::string format;                       // Redis: hash, json; Kafka: json, debezium
    std::optional<Millis> ttl;                // Redis
    std::string topic;                        // Kafka
    std::vector<std::string> tags;            // Redis: sorted sets that list the row's key
    std::string channel;                      // Redis: where each change is published as well
    int partitions = 0;                       // Kafka: of a topic that is made; 0: the broker's default
    std::optional<Millis> retention;          // Kafka: of a topic that is made; none: the broker's default
    bool transactional = false;               // Kafka: each change once for whoever reads committed records only
};

// Follows one table into one sink. Used by one thread at a time. Errors are the driver's own; after one the caller calls discard() and
// tells everything since the last flush() that returned again: versions tell what is already there.
class ChangeWriter {
public:
    virtual ~ChangeWriter() = default;
    // The table looks like this from here on: makes or changes the target. `changes` is empty for the first call. Doing it twice does
    // no harm. Throws Error(refused) when the target cannot follow: then it needs a new copy.
    virtual void reshape(const TableInfo& source, std::span<const ColumnChange> changes, Deadline deadline) = 0;
    // For writers that tell on what they are told: which version the next call of reshape() is of; and why nothing more comes before a new copy.
    virtual void reshape_at(const Version&) {}
    virtual void halt(const TableInfo& /*source*/, const Version&, const std::string& /*reason*/, Deadline) {}
    // Rows in the shape told last. May keep them until flush(). Rows that the target cannot hold are told to `rejected` and left out, within
    // this call or within flush(): what it refers to must live until then.
    virtual void apply(const ChangeBatch& changes, Deadline deadline, const std::function<void(std::size_t row, RejectedRow)>& rejected) = 0;
    // Everything older than `version` is gone.
    virtual void truncate(const Version& version, Deadline deadline) = 0;
    // Returns when everything so far is as durable as the sink's guarantee says.
    virtual void flush(Deadline deadline) = 0;
    // Forgets what was told since the last flush() that returned.
    virtual void discard() = 0;

    // Keys of the rows whose newest version here is `from` or later, also of those that are gone, in batches of the columns of `keys`: those
    // of the source's primary key. False, having told nothing: it cannot say, or the whole table was copied since.
    virtual bool written_since(const TableInfo& /*keys*/, const Version& /*from*/, Deadline /*deadline*/, const std::function<void(Batch&)>& /*consume*/) { return false; }

    // --- A new copy of the whole table, while changes go on ---
    // False: the sink takes no copies, only changes.
    virtual bool takes_copies() const { return false; }
    // From here on changes go into the copy, too, which nobody sees yet; what an earlier begin left is removed. The writer is thread-safe.
    virtual std::unique_ptr<RowWriter> begin_copy(const TableInfo& source, const std::string& run, Deadline deadline);
    // The copy of that name which a writer that is gone has left, with all that its RowWriter::apply() had returned from; null: there is
    // none, or this sink cannot go on with one.
    virtual std::unique_ptr<RowWriter> resume_copy(const TableInfo& source, const std::string& run, Deadline deadline);
    // The copy is whole: readers see it from here on.
    virtual void finish_copy(const std::string& run, Deadline deadline);
};

// Takes changes. Thread-safe.
class ChangeSink {
public:
    virtual ~ChangeSink() = default;
    virtual std::unique_ptr<ChangeWriter> follow(const Landing& landing, Deadline deadline) = 0;
    // The highest epoch a set has written here, as far as the sink remembers; 0: none.
    virtual std::uint32_t epoch(const std::string& set, Deadline deadline) = 0;
    virtual void begin_epoch(const std::string& set, std::uint32_t epoch, Deadline deadline) = 0;
    // What a set notes here, beside its epoch, for a source that was restored to an earlier state and has forgotten: of each name the highest
    // number. 0: none was, or the sink keeps no notes.
    virtual std::uint64_t noted(const std::string& /*set*/, const std::string& /*name*/, Deadline /*deadline*/) { return 0; }
    virtual void note(const std::string& /*set*/, const std::string& /*name*/, std::uint64_t /*number*/, Deadline /*deadline*/) {}
    // How long changes may be gathered before they are sent, for this sink to work well. A few milliseconds spare the servers a round trip
    // a commit, which they pay for with more than that once they are busy.
    virtual Millis batch_age() const { return Millis(10); }
    // Whether a table's changes must come in the source's order: a bus keeps that of each row only.
    virtual bool needs_order() const { return false; }
};

// --- A bus: a set's changes through a log that many read ---

struct BusOptions {
    std::string set;
    std::string group;                           // its members share the partitions
    std::vector<TableRef> tables;
    std::size_t segment_bytes = 1u << 20;
    std::string format;                          // empty: what `sync run --to` wrote; "debezium": what Debezium's connector for PostgreSQL does
    std::string topic;                           // of such events: "server.{schema}.{table}"
    std::uint32_t epoch = 1;                     // of their versions
    std::function<TableInfo(const TableRef&)> describe;   // their tables, as the source has them
    // Called within read(), when partitions are about to go to another member: makes what was told durable, as far as it can in a moment, and
    // returns up to which segment it is.
    std::function<std::uint64_t()> settle;
};

// One member's part of a bus: whole partitions, which come and go with the other members. Within a partition changes are in order; a shape, a
// truncation, a halt or a renewal is told once everything before it is durable, whoever's partition it was in. Not thread-safe.
class BusReader {
public:
    virtual ~BusReader() = default;
    // What comes within `wait`. Segments with anything in them are numbered from 1 by `complete`. Throws Error(connect, retryable) when the
    // broker or this member's partitions are lost: what was told and is not durable is told by others, so forget it and open anew.
    // Error(rejected) naming topic, partition and offset for what is no change of ours; Error(refused) for changes that are gone unread.
    // `full`: takes nothing more from the partitions, but keeps them; call it at least every few minutes.
    virtual Segment read(Millis wait, bool full, std::stop_token stop) = 0;
    // The segments up to this number are durable; told to the group about once a second, or `at_once`.
    virtual void acknowledge(std::uint64_t complete, bool at_once = false) = 0;
    // Everything that was in the bus at the first call is durable, at all members.
    virtual bool caught_up(Deadline deadline) = 0;
};

// How far a group of members is with what was in the bus when it was looked at, seen from beside it: without becoming one of them. Not thread-safe.
class BusGroup {
public:
    virtual ~BusGroup() = default;
    // Records the group has not committed: what it commits is durable in every sink of its members. None: it has never committed anything.
    virtual std::optional<std::uint64_t> behind(Deadline deadline) = 0;
};

// Thread-safe.
class ChangeBus {
public:
    virtual ~ChangeBus() = default;
    // Where a set's changes are told; landings need no more than their set and table. It takes copies, as rows of their snapshot's version.
    virtual ChangeSink& sink() = 0;
    virtual std::unique_ptr<BusReader> open(const BusOptions& options, Deadline deadline) = 0;
    // Throws Error(refused) where nothing was told of the set.
    virtual std::unique_ptr<BusGroup> look_at_group(const std::string& set, const std::string& group, Deadline deadline) = 0;
    // Drops what a set has there.
    virtual void remove(const std::string& set, Deadline deadline) = 0;
};

}  // namespace ysdb
