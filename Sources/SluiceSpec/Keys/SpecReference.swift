// The reference of the spec format and its JSON Schema, made from the keys themselves: `sluice help spec`, `sluice
// schema` and the page beside the sample specs say what the reader does because they come from the same values.

package enum SpecReference {
    /// All maps of a spec in the order in which a reader of the reference meets them.
    static let maps: [any SpecKeys.Type] = [
        SpecFileKeys.self, DefaultsKeys.self, SourceKeys.self, KafkaSourceKeys.self, FileSourceKeys.self,
        StandardInputKeys.self, JSONFormatKeys.self, CSVFormatKeys.self, AvroFormatKeys.self,
        ProtobufFormatKeys.self, RegistryKeys.self, ColumnKeys.self, EachKeys.self, WatermarkKeys.self, RouteKeys.self,
        QueryKeys.self, JoinKeys.self, WindowKeys.self, DeduplicateKeys.self, UnionWatermarkKeys.self, TableKeys.self,
        KafkaTableKeys.self, FileTableKeys.self,
        TriggerKeys.self, StateKeys.self, SinkKeys.self, KafkaSinkKeys.self, FileSinkKeys.self,
        StandardOutputKeys.self, JSONOutputKeys.self, CSVOutputKeys.self, AvroOutputKeys.self,
    ]

    // MARK: Text

    /// Every map with its keys, a line each.
    package static var text: String {
        let sections = maps.filter { !$0.names.isEmpty }.map { map in
            let width = map.names.map(\.count).max() ?? 0
            let lines = map.described.map { key in
                "  \(key.facts.name.padded(to: width))  \(key.facts.sentence)"
            }
            return (["\(map.noun) (\(map.home))"] + lines).joined(separator: "\n")
        }
        return
            (sections + [
                "`sluice help spec KEY` says more of one key, as in `sluice help spec watermark`;",
                "`sluice help spec types` lists the types of columns, `sluice help spec functions` the functions of "
                    + "expressions.",
            ])
            .joined(separator: "\n\n")
    }

    /// What there is to say of a key (`delay`, `watermark.delay`) and of all keys of a map (`source.kafka`,
    /// `watermark`). nil if there is neither.
    package static func text(of name: String) -> String? {
        if name == functionsName { return functions }
        if name == typesName { return types }
        let type = TypeDefinition.all.first { $0.usage.prefix { $0 != "(" } == name }
        if let function = FunctionDefinition.all.first(where: { $0.name == name }) { return entry(function) }
        let parts = name.split(separator: ".")
        let key = parts.last.map(String.init) ?? name
        let owner = parts.dropLast().joined(separator: ".")
        let holders = maps.filter { owner.isEmpty || $0.id == owner || $0.id.hasSuffix("." + owner) }
        let entries =
            holders.flatMap { map in
                map.described.filter { $0.facts.name == key }.map { entry($0.facts, in: map) }
            }
            + maps.filter { $0.id == name || $0.id.hasSuffix("." + name) }.flatMap { map in
                map.described.map { entry($0.facts, in: map) }
            }
        let all = (type.map { ["\($0.usage): \($0.takes)"] } ?? []) + entries
        return all.isEmpty ? nil : all.joined(separator: "\n\n")
    }

    /// What lists the functions in place of a key.
    private static let functionsName = "functions"

    /// What lists the types in place of a key.
    private static let typesName = "types"

    /// The types of columns, a line each.
    private static var types: String {
        let width = TypeDefinition.all.map(\.usage.count).max() ?? 0
        let lines = TypeDefinition.all.map { "  \($0.usage.padded(to: width))  \($0.takes)" }
        return (["The types of columns, and what each takes; any other value is null and makes the row bad:"] + lines)
            .joined(separator: "\n")
    }

    /// The functions of expressions, a line each.
    private static var functions: String {
        let width = FunctionDefinition.all.map(\.usage.count).max() ?? 0
        let lines = FunctionDefinition.all.map { "  \($0.usage.padded(to: width))  \($0.summary)" }
        return (["The functions of expressions, with Spark's names, types and nulls:"] + lines)
            .joined(separator: "\n")
    }

    private static func entry(_ function: FunctionDefinition) -> String {
        "\(function.usage): \(function.result)\n  \(function.summary)\n  Example: \(function.example)"
    }

    /// The key nearest to a name that is none.
    package static func nearestKey(to name: String) -> String? {
        let types = TypeDefinition.all.map { String($0.usage.prefix { $0 != "(" }) }
        let names = maps.flatMap { $0.names } + FunctionDefinition.all.map(\.name) + types + [functionsName, typesName]
        return nearest(to: name, in: Set(names).sorted())
    }

    private static func entry(_ facts: KeyFacts, in map: any SpecKeys.Type) -> String {
        var lines = ["\(facts.name): \(facts.words)", "  \(facts.sentence)", "  It stands \(map.home)."]
        if facts.isRequired { lines.append("  It must be there.") }
        if let fallback = facts.fallback { lines.append("  Without it: \(fallback)") }
        if let example = facts.example { lines.append("  Example: \(facts.name): \(example)") }
        let inner = facts.inner.filter { !$0.names.isEmpty }
        for map in inner {
            lines.append("  Keys of \(map.noun): \(map.names.joined(separator: ", "))")
        }
        lines.append("  Since \(facts.since)")
        return lines.joined(separator: "\n")
    }

    /// The reference as a page of Markdown.
    package static var page: String {
        var lines = [
            "# The keys of a spec", "",
            "Made from the program (`sluice help spec`), so it says what the program does.",
            "A key in bold must be there.",
        ]
        for map in maps where !map.names.isEmpty {
            lines += ["", "## \(map.noun) (\(map.home))", ""]
            lines += ["| key | value | what it does | without it | example |", "|---|---|---|---|---|"]
            lines += map.described.map { row($0.facts) }
        }
        lines += ["", "## Types of columns", "", "Any other value is null and makes the row bad.", ""]
        lines += ["| type | takes |", "|---|---|"]
        lines += TypeDefinition.all.map { "| `\($0.usage)` | \($0.takes) |" }
        lines += ["", "## Functions of expressions", "", "| function | result | what it does | example |"]
        lines += ["|---|---|---|---|"]
        lines += FunctionDefinition.all.map { function in
            let cells = ["`\(function.usage)`", "\(function.result)", function.summary, "`\(function.example)`"]
            return "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func row(_ facts: KeyFacts) -> String {
        let name = facts.isRequired ? "**`\(facts.name)`**" : "`\(facts.name)`"
        let example = facts.example.map { "`\(facts.name): \($0)`" } ?? ""
        let cells = [name, facts.words, facts.sentence, facts.fallback ?? "", example]
        return "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
    }

    // MARK: JSON Schema

    /// The JSON Schema (draft 2020-12) of spec files, for editors.
    package static var schema: JSONValue {
        .object([
            "$schema": .string("https://json-schema.org/draft/2020-12/schema"),
            "title": .string("Sluice spec"),
            "$ref": .string("#/$defs/\(SpecFileKeys.id)"),
            "$defs": .object(maps.map { JSONMember($0.id, schema(of: $0)) }),
        ])
    }

    private static func schema(of map: any SpecKeys.Type) -> JSONValue {
        let properties = map.described.map { key in
            JSONMember(key.facts.name, described(key.facts))
        }
        var members = [
            JSONMember("type", map.takesNull ? .array([.string("object"), .string("null")]) : .string("object")),
            JSONMember("properties", .object(properties)), JSONMember("additionalProperties", .bool(false)),
        ]
        if map.id == SpecFileKeys.id {
            members.append(JSONMember("patternProperties", .object(["^x-": .object([])])))
        }
        let required = map.described.filter(\.facts.isRequired).map { JSONValue.string($0.facts.name) }
        if !required.isEmpty { members.append(JSONMember("required", .array(required))) }
        return .object(members)
    }

    /// A key's schema with its sentence; `allOf` because what stands beside a reference is not read by all tools.
    private static func described(_ facts: KeyFacts) -> JSONValue {
        var members = [JSONMember("description", .string(facts.sentence))]
        if let example = facts.example { members.append(JSONMember("examples", .array([.string(example)]))) }
        if case .object(let schema) = facts.schema, facts.schema["$ref"] == nil {
            members += schema
        } else {
            members.append(JSONMember("allOf", .array([facts.schema])))
        }
        return .object(members)
    }
}

extension String {
    /// With blanks behind it, so that it is that many characters long at least.
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
