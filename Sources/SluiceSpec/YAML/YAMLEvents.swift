// The only file that touches libyaml: its events as Swift values, its errors as offsets and text.

internal import CYAML

enum YAMLEvent {
    case streamStart
    case streamEnd
    case documentStart(at: Int)
    case documentEnd
    case alias(anchor: String, span: Range<Int>)
    case scalar(anchor: String?, tag: String?, text: String, style: YAMLScalar.Style, span: Range<Int>)
    case sequenceStart(anchor: String?, tag: String?, isFlow: Bool, span: Range<Int>)
    case sequenceEnd
    case mappingStart(anchor: String?, tag: String?, isFlow: Bool, span: Range<Int>)
    case mappingEnd
}

/// What libyaml could not read. Offsets are in characters, but `byteOffset` when the encoding is at fault.
struct YAMLSyntaxError: Error {
    var problem: String
    var context: String
    var offset: Int
    var contextOffset: Int
    var byteOffset: Int?
}

/// Owns a libyaml parser and its input.
@safe struct YAMLEvents: ~Copyable {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let input: UnsafeMutableBufferPointer<UInt8>

    /// `bytes` must be UTF-8 without a byte-order mark. nil only when memory runs out.
    init?(_ bytes: ArraySlice<UInt8>) {
        unsafe parser = .allocate(capacity: 1)
        unsafe input = .allocate(capacity: max(bytes.count, 1))
        _ = unsafe input.initialize(from: bytes)
        guard unsafe yaml_parser_initialize(parser) == 1 else {
            unsafe parser.deallocate()
            unsafe input.deallocate()
            return nil
        }
        unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        unsafe yaml_parser_set_input_string(parser, input.baseAddress, bytes.count)
    }

    deinit {
        unsafe yaml_parser_delete(parser)
        unsafe parser.deallocate()
        unsafe input.deallocate()
    }

    /// The next event; after `.streamEnd` or an error there are no more.
    mutating func next() throws(YAMLSyntaxError) -> YAMLEvent {
        var event = unsafe yaml_event_t()
        guard unsafe yaml_parser_parse(parser, &event) == 1 else { throw syntaxError() }
        defer { unsafe yaml_event_delete(&event) }
        let span = unsafe event.start_mark.index..<max(event.start_mark.index, event.end_mark.index)
        switch unsafe event.type {
        case YAML_STREAM_START_EVENT: return .streamStart
        case YAML_DOCUMENT_START_EVENT: return .documentStart(at: span.lowerBound)
        case YAML_DOCUMENT_END_EVENT: return .documentEnd
        case YAML_ALIAS_EVENT:
            return unsafe .alias(anchor: Self.text(event.data.alias.anchor) ?? "", span: span)
        case YAML_SCALAR_EVENT:
            let scalar = unsafe event.data.scalar
            let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            return unsafe .scalar(
                anchor: Self.text(scalar.anchor), tag: Self.text(scalar.tag),
                text: String(decoding: bytes, as: UTF8.self), style: Self.style(scalar.style), span: span)
        case YAML_SEQUENCE_START_EVENT:
            let start = unsafe event.data.sequence_start
            return unsafe .sequenceStart(
                anchor: Self.text(start.anchor), tag: Self.text(start.tag),
                isFlow: start.style == YAML_FLOW_SEQUENCE_STYLE, span: span)
        case YAML_SEQUENCE_END_EVENT: return .sequenceEnd
        case YAML_MAPPING_START_EVENT:
            let start = unsafe event.data.mapping_start
            return unsafe .mappingStart(
                anchor: Self.text(start.anchor), tag: Self.text(start.tag),
                isFlow: start.style == YAML_FLOW_MAPPING_STYLE, span: span)
        case YAML_MAPPING_END_EVENT: return .mappingEnd
        default: return .streamEnd
        }
    }

    private func syntaxError() -> YAMLSyntaxError {
        let isEncoding = unsafe parser.pointee.error == YAML_READER_ERROR
        return unsafe YAMLSyntaxError(
            problem: parser.pointee.problem.map { unsafe String(cString: $0) } ?? "the text cannot be read",
            context: parser.pointee.context.map { unsafe String(cString: $0) } ?? "",
            offset: parser.pointee.problem_mark.index, contextOffset: parser.pointee.context_mark.index,
            byteOffset: isEncoding ? parser.pointee.problem_offset : nil)
    }

    private static func text(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        unsafe pointer.map { unsafe String(cString: $0) }
    }

    private static func style(_ style: yaml_scalar_style_t) -> YAMLScalar.Style {
        switch style {
        case YAML_SINGLE_QUOTED_SCALAR_STYLE: .singleQuoted
        case YAML_DOUBLE_QUOTED_SCALAR_STYLE: .doubleQuoted
        case YAML_LITERAL_SCALAR_STYLE, YAML_FOLDED_SCALAR_STYLE: .block
        default: .plain
        }
    }
}
