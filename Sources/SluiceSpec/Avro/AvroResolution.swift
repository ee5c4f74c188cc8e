// How what a writer has written is read as a reader's schema wants it: the specification's rules of schema resolution,
// worked out once for two schemas. The result is a graph of nodes, one for each pair of types that meet: what stands
// in the bytes, and what it is to be taken for. Recursive types make circles in it. A pair that does not go together is
// a node too, and a mistake only where somebody reads it.
//
// Beyond the specification, as this product has it: a field that only the writer has can still be read by its name,
// and one that the writer lacks and that has no default is null.
// Source: Apache Avro 1.12.0 Specification, "Schema Resolution"; org.apache.avro.Resolver for what it leaves open.

package struct AvroResolution: Sendable {
    package enum Shape: Sendable {
        case null, boolean, int, long, float, double, bytes, string
        case fixed(byteCount: Int)
        /// Of each of the writer's symbols what the reader takes it for; nil: the reader does not know it.
        case enumeration(symbols: [String?])
        case record(fields: [Field])
        case array(items: Int)
        case map(values: Int)
        /// By the writer's branch. Also where only the reader has a union: then the node is that of its branch.
        case union(branches: [Int])
        /// What is written cannot be what the reader wants. One clause.
        case mismatch(String)
    }

    package struct Node: Sendable {
        /// What stands in the bytes.
        package var shape: Shape
        /// What a number or text is promoted to.
        package var promotion: Promotion = .none
        /// The reader's, where there is one.
        package var logical: AvroLogicalType?
        /// In the schema that its bytes are written by.
        package var writerType: Int
        /// True for what stands in defaults, which the reader's schema writes.
        package var isOfDefault = false
        /// The writer's type in words.
        package var noun: String
    }

    package enum Promotion: Hashable, Sendable {
        case none, toLong, toFloat, toDouble, toString, toBytes
    }

    /// A field of a record: the writer's in their order, then those that only the reader has.
    package struct Field: Sendable {
        package enum Source: Sendable {
            /// The writer's next field, to be read.
            case written(node: Int)
            /// The reader's default: bytes as Avro writes them.
            case constant(node: Int, range: Range<Int>)
            /// The reader's field, which the writer lacks, without a default.
            case missing
            /// The same, with a default that is no value of its type.
            case badDefault
        }

        /// The reader's name, or the writer's where the reader lacks it.
        package var name: String
        package var source: Source
        /// True for one that the reader lacks: it is no part of the record as a whole.
        package var isExtra = false
    }

    package private(set) var nodes: [Node] = []
    package private(set) var root = 0
    /// The defaults.
    package private(set) var constants: [UInt8] = []
    package let writer: AvroSchema
    package let reader: AvroSchema?

    /// Types that are nested more deeply than this, by whatever names, are not read.
    package static let depthMax = 200
    private static let nodeCountMax = 1 << 17
    private static let constantByteCountMax = 16 << 20

    /// - Parameter reader: nil to read what was written as it was.
    package init(writer: AvroSchema, reader: AvroSchema? = nil) {
        self.writer = writer
        // What is the same needs no resolution.
        self.reader = reader == writer ? nil : reader
        var resolver = Resolver(writer: writer, reader: self.reader)
        root = resolver.node(Pair(type: writer.root, readerType: self.reader?.root), depth: 0)
        nodes = resolver.nodes
        constants = resolver.constants
    }

    package subscript(_ node: Int) -> Node { nodes[node] }

    /// The schema that a node's bytes are written by.
    package func schema(of node: Node) -> AvroSchema { node.isOfDefault ? reader ?? writer : writer }

    // MARK: -

    /// A type that is written, and the one that it is read as.
    private struct Pair: Hashable {
        var type: Int
        /// nil: as it is.
        var readerType: Int?
        /// True where the reader's schema is also the one that writes.
        var isOfDefault = false
    }

    private struct Resolver {
        let writer: AvroSchema
        let reader: AvroSchema?
        var nodes: [Node] = []
        var constants: [UInt8] = []
        private var known: [Pair: Int] = [:]

        init(writer: AvroSchema, reader: AvroSchema?) {
            self.writer = writer
            self.reader = reader
        }

        mutating func node(_ pair: Pair, depth: Int) -> Int {
            if let known = known[pair] { return known }
            // Where only the reader has a union its node is that of the branch, which may be in the making.
            if let branch = readerBranch(pair) { return node(Pair(type: pair.type, readerType: branch), depth: depth) }
            let index = nodes.count
            nodes.append(blank(pair))
            guard depth <= AvroResolution.depthMax, index < AvroResolution.nodeCountMax else {
                nodes[index].shape = .mismatch("it is nested more than \(AvroResolution.depthMax) levels deep")
                return index
            }
            known[pair] = index
            nodes[index] = resolved(pair, depth + 1)
            return index
        }

        private func written(_ pair: Pair) -> AvroType {
            pair.isOfDefault ? (reader ?? writer)[pair.type] : writer[pair.type]
        }

        private func blank(_ pair: Pair) -> Node {
            Node(
                shape: .mismatch(""), writerType: pair.type, isOfDefault: pair.isOfDefault, noun: written(pair).noun)
        }

        private mutating func resolved(_ pair: Pair, _ depth: Int) -> Node {
            var node = blank(pair)
            let written = written(pair)
            if case .union(let branches) = written.shape {
                node.shape = .union(
                    branches: branches.map { branch in
                        var inner = pair
                        inner.type = branch
                        return self.node(inner, depth: depth)
                    })
                return node
            }
            guard let reader, let readerType = pair.readerType else { return asWritten(pair, depth) }
            if case .union = reader[readerType].shape {
                node.shape = .mismatch("\(node.noun) is none of the branches of the reader's union")
                return node
            }
            return resolved(pair, as: reader[readerType], depth)
        }

        /// What a type that is no union is read as where the reader has one; nil for none.
        private func readerBranch(_ pair: Pair) -> Int? {
            if case .union = written(pair).shape { return nil }
            guard let reader, let readerType = pair.readerType, case .union(let branches) = reader[readerType].shape
            else { return nil }
            return bestBranch(branches, for: written(pair), of: reader)
        }

        private mutating func asWritten(_ pair: Pair, _ depth: Int) -> Node {
            let written = written(pair)
            func inner(_ type: Int) -> Pair { Pair(type: type, readerType: nil, isOfDefault: pair.isOfDefault) }
            var node = blank(pair)
            node.logical = written.logical
            switch written.shape {
            case .null: node.shape = .null
            case .boolean: node.shape = .boolean
            case .int: node.shape = .int
            case .long: node.shape = .long
            case .float: node.shape = .float
            case .double: node.shape = .double
            case .bytes: node.shape = .bytes
            case .string: node.shape = .string
            case .fixed(let byteCount): node.shape = .fixed(byteCount: byteCount)
            case .enumeration(let enumeration): node.shape = .enumeration(symbols: enumeration.symbols)
            case .array(let items): node.shape = .array(items: self.node(inner(items), depth: depth))
            case .map(let values): node.shape = .map(values: self.node(inner(values), depth: depth))
            case .record(let fields):
                node.shape = .record(
                    fields: fields.map { field in
                        Field(name: field.name, source: .written(node: self.node(inner(field.type), depth: depth)))
                    })
            case .union: break
            }
            return node
        }

        private mutating func resolved(_ pair: Pair, as wanted: AvroType, _ depth: Int) -> Node {
            let written = written(pair)
            var node = blank(pair)
            node.logical = wanted.logical
            if let problem = mismatch(written, wanted) {
                node.shape = .mismatch(problem)
                return node
            }
            switch (written.shape, wanted.shape) {
            case (.enumeration(let from), .enumeration(let to)):
                node.shape = .enumeration(symbols: from.symbols.map { to.symbols.contains($0) ? $0 : to.fallback })
            case (.record(let from), .record(let to)):
                node.shape = .record(fields: fields(from, to, depth))
            case (.array(let from), .array(let to)):
                node.shape = .array(items: self.node(Pair(type: from, readerType: to), depth: depth))
            case (.map(let from), .map(let to)):
                node.shape = .map(values: self.node(Pair(type: from, readerType: to), depth: depth))
            default:
                node.shape = asWritten(Pair(type: pair.type, readerType: nil), depth).shape
                node.promotion = promotion(written.shape, wanted.shape) ?? .none
            }
            return node
        }

        // MARK: Records

        private mutating func fields(_ from: [AvroField], _ to: [AvroField], _ depth: Int) -> [Field] {
            var places: [String: Int] = [:]
            for (place, field) in to.enumerated() { places[field.name] = place }
            var aliases: [String: Int] = [:]
            for (place, field) in to.enumerated() {
                for alias in field.aliases where aliases[alias] == nil { aliases[alias] = place }
            }
            var isFound = [Bool](repeating: false, count: to.count)
            // A name goes before an alias.
            for field in from { if let place = places[field.name] { isFound[place] = true } }
            var result: [Field] = []
            for field in from {
                var place = places[field.name]
                if place == nil, let other = aliases[field.name], !isFound[other] {
                    place = other
                    isFound[other] = true
                }
                let node = self.node(Pair(type: field.type, readerType: place.map { to[$0].type }), depth: depth)
                result.append(
                    Field(
                        name: place.map { to[$0].name } ?? field.name, source: .written(node: node),
                        isExtra: place == nil))
            }
            for (place, field) in to.enumerated() where !isFound[place] {
                result.append(Field(name: field.name, source: constant(field, depth)))
            }
            return result
        }

        private mutating func constant(_ field: AvroField, _ depth: Int) -> Field.Source {
            guard let reader, let fallback = field.fallback else { return .missing }
            var encoder = AvroDefaultEncoder(schema: reader)
            guard encoder.encode(fallback, field.type), constants.count < AvroResolution.constantByteCountMax else {
                return .badDefault
            }
            let start = constants.count
            constants += encoder.bytes
            let node = self.node(Pair(type: field.type, readerType: nil, isOfDefault: true), depth: depth)
            return .constant(node: node, range: start..<constants.count)
        }

        // MARK: What goes together

        /// The branch of a reader's union that a type is read as: one of its own kind and name, else the first it can
        /// be promoted to.
        private func bestBranch(_ branches: [Int], for written: AvroType, of reader: AvroSchema) -> Int? {
            let fitting = branches.filter { mismatch(written, reader[$0]) == nil }
            return fitting.first { written.fullName != nil && reader[$0].fullName == written.fullName }
                ?? fitting.first { promotion(written.shape, reader[$0].shape) == Promotion.none } ?? fitting.first
        }

        /// What stands against reading one type as another, neither of them a union; nil where it goes.
        private func mismatch(_ written: AvroType, _ wanted: AvroType) -> String? {
            switch (written.shape, wanted.shape) {
            case (.fixed(let from), .fixed(let to)) where from != to:
                return "\(written.noun) has \(from) bytes, and the reader's has \(to)"
            case (.record, .record), (.enumeration, .enumeration), (.fixed, .fixed):
                let isNamed =
                    written.name == wanted.name
                    || wanted.aliases.contains { $0 == written.fullName || unqualified($0) == written.name }
                return isNamed
                    ? nil : "\(written.noun) is not \(wanted.noun), which the reader wants and has no alias for it"
            default:
                return promotion(written.shape, wanted.shape) == nil
                    ? "\(written.noun) cannot be read as \(wanted.noun), which the reader wants" : nil
            }
        }

        /// nil where one cannot be read as the other. Names and sizes do not count here.
        private func promotion(_ written: AvroType.Shape, _ wanted: AvroType.Shape) -> Promotion? {
            switch (written, wanted) {
            case (.null, .null), (.boolean, .boolean), (.int, .int), (.long, .long), (.float, .float),
                (.double, .double), (.bytes, .bytes), (.string, .string), (.array, .array), (.map, .map),
                (.record, .record), (.enumeration, .enumeration), (.fixed, .fixed):
                Promotion.none
            case (.int, .long): .toLong
            case (.int, .float), (.long, .float): .toFloat
            case (.int, .double), (.long, .double), (.float, .double): .toDouble
            case (.bytes, .string): .toString
            case (.string, .bytes): .toBytes
            default: nil
            }
        }
    }
}
