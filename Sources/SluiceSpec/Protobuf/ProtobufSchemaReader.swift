// From texts to a schema, through protobuf's own library: a `.proto` with what it imports, a set of descriptors, or
// what a registry has.

internal import CProtobuf

extension ProtobufSchema {
    /// A `.proto` file.
    /// - Parameters:
    ///   - name: what the file is called in messages.
    ///   - imported: the text of a file by the name that it is imported by; those of google.protobuf need not be there.
    /// - Throws: with the place of the first mistake.
    package init(
        proto text: [UInt8], name: String, imported: @escaping (String) -> [UInt8]?
    ) throws(ProtobufProblem) {
        let files = ImportedFiles { $0 == name ? text : imported($0) }
        let parsed = unsafe withExtendedLifetime(files) {
            unsafe sluice_protobuf_parse(
                name,
                { context, name, text in
                    guard let context = unsafe context, let name = unsafe name else { return 0 }
                    let files = unsafe Unmanaged<ImportedFiles>.fromOpaque(context).takeUnretainedValue()
                    guard let bytes = unsafe files.read(String(cString: name)) else { return 0 }
                    unsafe bytes.withUnsafeBufferPointer {
                        unsafe sluice_protobuf_give(text, $0.baseAddress, $0.count)
                    }
                    return 1
                }, Unmanaged.passUnretained(files).toOpaque())
        }
        do throws(ProtobufProblem) { unsafe try self.init(parsed) } catch {
            // The library tells no more of them.
            let isEdition =
                error.message.contains("top-level statement")
                && String(decoding: text, as: UTF8.self)
                    .split(separator: "\n").contains { $0.hasPrefix("edition") }
            guard isEdition else { throw error }
            throw ProtobufProblem(
                message: "`\(name)` is of an edition, which is not read yet",
                fix: "write it in `syntax = \"proto3\"` or `\"proto2\"`, which have what most editions' schemas use")
        }
    }

    /// A serialized FileDescriptorSet, as `protoc --descriptor_set_out` writes it.
    /// - Throws: where it is none, or lacks a file.
    package init(descriptors: [UInt8]) throws(ProtobufProblem) {
        let parsed = unsafe descriptors.withUnsafeBufferPointer {
            unsafe sluice_protobuf_load($0.baseAddress, $0.count)
        }
        unsafe try self.init(parsed)
    }

    /// As a registry has it.
    /// - Throws: with the place of the first mistake.
    package init(_ written: SchemaText) throws(ProtobufProblem) {
        var names: [String: [UInt8]] = [:]
        for (name, text) in zip(written.referenceNames, written.references) { names[name] = text }
        try self.init(proto: written.text, name: "schema.proto") { names[$0] }
    }

    private init(_ parsed: OpaquePointer?) throws(ProtobufProblem) {
        guard let parsed = unsafe parsed else { throw ProtobufProblem(message: "there is no memory to read it") }
        defer { unsafe sluice_protobuf_destroy(parsed) }
        if let error = unsafe sluice_protobuf_first_error(parsed) {
            throw unsafe ProtobufProblem(error.pointee)
        }
        let tables = unsafe DescriptorTables(parsed)
        messages = tables.messages()
        enumerations = tables.enumerations()
    }
}

/// What the library asks for.
private final class ImportedFiles {
    let read: (String) -> [UInt8]?

    init(read: @escaping (String) -> [UInt8]?) { self.read = read }
}

extension ProtobufProblem {
    fileprivate init(_ error: sluice_protobuf_error) {
        let file = unsafe String(cString: error.file)
        var message = unsafe String(cString: error.message)
        if message.hasSuffix(".") { message.removeLast() }
        let (line, column) = unsafe (error.line, error.column)
        let place = line > 0 ? "\(file):\(line):\(column): " : file.isEmpty ? "" : "\(file): "
        self.init(message: place + message, fix: nil)
    }
}

/// The library's tables.
@safe private struct DescriptorTables {
    private let messageTable: UnsafeBufferPointer<sluice_protobuf_message>
    private let fieldTable: UnsafeBufferPointer<sluice_protobuf_field>
    private let enumTable: UnsafeBufferPointer<sluice_protobuf_enum>
    private let valueTable: UnsafeBufferPointer<sluice_protobuf_value>

    init(_ parsed: OpaquePointer) {
        var count = 0
        let messages = unsafe sluice_protobuf_messages(parsed, &count)
        unsafe messageTable = UnsafeBufferPointer(start: messages, count: count)
        let fields = unsafe sluice_protobuf_fields(parsed, &count)
        unsafe fieldTable = UnsafeBufferPointer(start: fields, count: count)
        let enums = unsafe sluice_protobuf_enums(parsed, &count)
        unsafe enumTable = UnsafeBufferPointer(start: enums, count: count)
        let values = unsafe sluice_protobuf_values(parsed, &count)
        unsafe valueTable = UnsafeBufferPointer(start: values, count: count)
    }

    func messages() -> [ProtobufMessage] {
        unsafe messageTable.map { message in
            let name = unsafe String(cString: message.name)
            return unsafe ProtobufMessage(
                fullName: name,
                fields: (0..<Int(message.field_count)).map { unsafe field(fieldTable[Int(message.first_field) + $0]) },
                parent: message.parent < 0 ? nil : Int(message.parent), place: Int(message.place),
                isOwn: message.is_own != 0, isMapEntry: message.is_map_entry != 0,
                wellKnown: ProtobufWellKnown(fullName: name))
        }
    }

    private func field(_ field: sluice_protobuf_field) -> ProtobufField {
        let kind = unsafe ProtobufField.Kind(rawValue: field.type) ?? .group
        var read = unsafe ProtobufField(
            name: String(cString: field.name), number: Int(field.number), kind: kind, type: Int(field.type_index),
            isRepeated: field.is_repeated != 0, hasPresence: field.has_presence != 0,
            oneof: field.oneof < 0 ? nil : Int(field.oneof))
        let hasDefault = unsafe field.has_default != 0 || field.has_presence == 0
        if read.isRepeated || !hasDefault || kind == .message || kind == .group { return read }
        if kind == .string || kind == .bytes {
            let bytes = unsafe UnsafeBufferPointer(start: field.default_bytes, count: field.default_count)
            read.fallback = unsafe .bytes(Array(bytes))
        } else {
            read.fallback = unsafe .bits(field.default_bits)
        }
        return read
    }

    func enumerations() -> [ProtobufEnumeration] {
        unsafe enumTable.map { type in
            unsafe ProtobufEnumeration(
                fullName: String(cString: type.name),
                values: (0..<Int(type.value_count)).map { offset in
                    let value = unsafe valueTable[Int(type.first_value) + offset]
                    return unsafe ProtobufEnumeration.Value(name: String(cString: value.name), number: value.number)
                }, isClosed: type.is_closed != 0)
        }
    }
}
