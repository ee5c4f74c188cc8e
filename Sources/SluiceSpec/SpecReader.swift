// The door to this module: the bytes of spec files in, a Spec and everything that is wrong with it out.

/// Secret values that were read, for hiding them in texts whose parts are no longer known as secret, such as a log line
/// that quotes a path.
package struct SecretMask: Hashable, Sendable {
    /// Longest first, so that a secret inside another one does not leave its rest behind.
    private let secrets: [String]

    package init(secrets: some Sequence<String> = []) {
        self.secrets = Set(secrets).filter { $0.utf8.count >= 3 }
            .sorted { ($1.utf8.count, $0) < ($0.utf8.count, $1) }
    }

    /// Hides what either of the two hides.
    package func union(_ other: SecretMask) -> SecretMask { SecretMask(secrets: secrets + other.secrets) }

    /// `text` with every secret replaced by `•••`.
    package func hide(_ text: String) -> String {
        secrets.reduce(text) { $0.replacing($1, with: "•••") }
    }
}

/// Reads spec files.
package enum SpecReader {
    /// The largest file that is a spec.
    package static let fileBytesMax = YAMLLimits.bytes
    /// The largest file that a spec takes in: schemas are the largest.
    package static let namedFileBytesMax = AvroSchema.byteCountMax

    /// Reads all files of one command line as one namespace.
    ///
    /// `spec` is nil if and only if there are errors; warnings come with a spec. Diagnostics are sorted by place and
    /// complete: a mistake hides others only inside the same expression, or, when the YAML itself is broken, in the
    /// rest of that file. Relative paths are resolved against the folder of their file's name, which is also what
    /// `readFile` is called with, for `${file:…}` and schemas. `unread` are findings about files that were not read at
    /// all: names that are missing may be theirs.
    package static func read(
        files: [(name: String, text: [UInt8])], unread: [Diagnostic] = [], environment: @escaping (String) -> String?,
        readFile: @escaping (String) -> Result<[UInt8], UnreadableFile>
    ) -> (spec: Spec?, diagnostics: [Diagnostic]) {
        let diagnostics = DiagnosticCollector()
        let references = ReferenceResolver(
            environment: environment, readSecretFile: readFile, diagnostics: diagnostics)
        let builder = SpecBuilder(diagnostics: diagnostics, readFile: readFile)
        builder.hasUnreadableFile = !unread.isEmpty
        for finding in unread { diagnostics.add(finding) }
        for file in files {
            if let root = tree(of: file, references, diagnostics) {
                builder.add(root: root)
            } else {
                builder.hasUnreadableFile = true
            }
        }
        var spec = builder.finish()
        spec.secretMask = SecretMask(secrets: references.secrets)
        let found = diagnostics.sorted().map { $0.hidingSecrets(spec.secretMask) }
        return (found.contains { $0.severity == .error } ? nil : spec, found)
    }

    private static func tree(
        of file: (name: String, text: [UInt8]), _ references: ReferenceResolver, _ diagnostics: DiagnosticCollector
    ) -> YAMLNode? {
        guard file.text.count <= YAMLLimits.bytes else {
            diagnostics.error(
                .tooLarge, at: SourceText(name: file.name, scalars: []).place(0..<1),
                "the file has \(file.text.count) bytes, more than the limit of \(YAMLLimits.bytes)",
                fix: "split it: several files on one command line form one spec")
            return nil
        }
        let (source, invalidAt) = SourceText.decode(name: file.name, bytes: file.text)
        if let invalidAt {
            diagnostics.error(
                .invalidUTF8, at: source.place(invalidAt..<invalidAt + 1), "the file is not UTF-8 from here on",
                fix: "save it as UTF-8")
            return nil
        }
        return YAMLReader.read(source, bytes: file.text, references: references, diagnostics: diagnostics)
    }
}

extension Diagnostic {
    /// A second line of defence: messages are written without secrets in the first place.
    package func hidingSecrets(_ mask: SecretMask) -> Diagnostic {
        var hidden = self
        hidden.message = mask.hide(message)
        hidden.fix = fix.map { mask.hide($0) }
        return hidden
    }
}
