#include "cmd/migrate_verbs.h"
#include "core/migrate/migrate.h"

namespace ysdb {

CommandSpec migrate_adopt_verb() {
    CommandSpec verb;
    verb.name = "adopt";
    verb.summary = "take over a project of dbmate, goose, golang-migrate, Flyway or sqitch";
    verb.description =
        "Reads the other tool's history in the store that [migrate] names and records what it applied as applied. Nothing is run and their table stays. While that is done "
        "their own lock is held, so that none of their runs is in between. Afterwards up, status and verify go on with their files as they are, and new files may be in "
        "either layout.\n\n"
        "--convert writes each file in ysdb's layout and moves the originals to adopted/ in the directory of migrations; checksums stay the same.";
    verb.flags = {{"--convert", "", "write the files in ysdb's layout", ""},
                  {"--table", "NAME", "the other tool's table of applied versions, where that is not the one it has by default", ""},
                  {"--lock-wait", "DURATION", "how long to wait for another run, of ysdb or of the other tool", "1m"}};
    verb.examples = {{"ysdb migrate adopt --dry-run", "what would count as applied"}, {"ysdb migrate adopt --yes --convert", "and leave the other tool's layout behind"}};
    verb.changes = true;
    verb.run = [](const Invocation& line, Context& context, Operator& person) {
        migrate::AdoptOptions options;
        options.convert = line.has("--convert");
        options.table = line.text("--table").value_or("");
        options.lock_wait = *line.duration("--lock-wait");
        options.confirm = [&person](const Report& preview, const std::string& question) { return person.confirm(preview, question); };
        return migrate::adopt(context, options);
    };
    return verb;
}

}  // namespace ysdb
