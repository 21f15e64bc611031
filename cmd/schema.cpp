#include "cmd/commands.h"
#include "core/schema_doc/model.h"

namespace ysdb {

namespace {

// The named store, or every configured one that has a catalog, `main` first.
std::vector<schema_doc::SchemaModel> models(const Invocation& line, Context& context) {
    const std::string schema = line.text_or("--schema", "");
    std::vector<schema_doc::SchemaModel> found;
    if (line.has("--store")) return {schema_doc::read_schema(context.stores.get(*line.text("--store")), schema, context.deadline())};
    for (const bool main_store : {true, false}) {
        for (const auto& [name, config] : context.config.stores) {
            if ((name == "main") != main_store) continue;
            Store& store = context.stores.get(name);
            if (store.sql() != nullptr && store.sql()->dialect() != Dialect::questdb) found.push_back(schema_doc::read_schema(store, schema, context.deadline()));
        }
    }
    if (found.empty()) throw Error(Code::config, "no store with a catalog is configured", "ysdb schema documents PostgreSQL and ClickHouse stores");
    return found;
}

Report diagram(const Invocation& line, Context& context, Operator&) {
    Report report;
    report.document = "";
    for (const schema_doc::SchemaModel& model : models(line, context)) *report.document += (report.document->empty() ? "" : "\n") + schema_doc::diagram(model);
    return report;
}

Report dictionary(const Invocation& line, Context& context, Operator&) {
    Report report;
    report.document = schema_doc::dictionary(models(line, context));
    return report;
}

CommandSpec verb(std::string name, std::string summary, std::function<Report(const Invocation&, Context&, Operator&)> run) {
    CommandSpec spec;
    spec.name = std::move(name);
    spec.summary = std::move(summary);
    spec.flags = {{"--store", "NAME", "only this store; every PostgreSQL and ClickHouse store when not given", ""},
                  {"--schema", "NAME", "the schema, or ClickHouse database; public, or the connection's database, when not given", ""}};
    spec.run = std::move(run);
    return spec;
}

}  // namespace

CommandSpec schema_command() {
    CommandSpec diagram_verb = verb("diagram", "draw the tables and what connects them, as mermaid", diagram);
    diagram_verb.description = "PostgreSQL: an entity-relationship diagram. ClickHouse: which view reads what and where its rows go.";
    diagram_verb.examples = {{"ysdb schema diagram --store main > schema.mmd", "paste it where mermaid is shown"}};
    CommandSpec dictionary_verb = verb("dictionary", "write the data dictionary, as markdown", dictionary);
    dictionary_verb.description =
        "Every table, view, column, constraint, index, trigger, type and function with its comment, and the diagram. It depends on the schema "
        "alone, so a diff of two dictionaries is a diff of two schemas.";
    dictionary_verb.examples = {{"ysdb schema dictionary > docs/schema.md", "document all stores"}};

    CommandSpec command;
    command.name = "schema";
    command.summary = "document the live schema";
    command.verbs = {diagram_verb, dictionary_verb};
    return command;
}

}  // namespace ysdb
