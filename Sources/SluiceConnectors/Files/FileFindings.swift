// What `check` can say of a spec's paths by looking at the files that are there: nothing that they match, a name of the
// shell's that nobody expands, files that are no text, and columns that the header of the first file does not have. It
// reads the first bytes of a bounded number of files.

internal import Glibc
package import SluiceSpec
package import SluiceSystem

/// So many files of a source are looked into.
private let inspectedCountMax = 100

/// Findings about the paths of sources, sinks and checkpoints.
package func fileFindings(_ spec: Spec, _ fileSystem: any FileSystem) -> [Diagnostic] {
    var findings: [Diagnostic] = []
    for source in spec.sources {
        guard let path = source.connector.path else { continue }
        let isFollowed = (source.connector as? FileSourceSpec)?.isFollowed ?? false
        let files = PathFindings(spec, path, fileSystem)
        findings += files.ofSource(source, isFollowed: isFollowed)
    }
    for table in spec.tables {
        guard let path = table.source.connector.path else { continue }
        findings += PathFindings(spec, path, fileSystem, isTable: true).ofSource(table.source, isFollowed: false)
    }
    for sink in spec.sinks {
        guard let path = sink.connector.folder else { continue }
        findings += PathFindings(spec, path, fileSystem).unexpanded.map { [$0] } ?? []
    }
    for query in spec.queries {
        let path = Located(query.checkpoint, at: query.name.position, length: query.name.length)
        findings += PathFindings(spec, path, fileSystem).unexpanded.map { [$0] } ?? []
    }
    return findings
}

/// What stands against reading a file, and what to do.
struct FileTrouble {
    var sentence: String
    var remedy: String?
}

/// What stands against reading a file that a spec names for its certificates or keys; nil where nothing does.
func fileTrouble(_ path: String, mayBeFolder: Bool = false, _ fileSystem: any FileSystem) -> FileTrouble? {
    do throws(FileError) {
        guard let info = try fileSystem.info(path) else {
            return FileTrouble(
                sentence: "there is no file \(path)",
                remedy: "a path in a spec is relative to the folder of the spec file")
        }
        if info.kind == .folder, mayBeFolder { return nil }
        guard info.kind == .file else { return FileTrouble(sentence: "\(path) is not a file") }
        _ = try fileSystem.open(path)
        return nil
    } catch {
        return FileTrouble(sentence: "\(error)", remedy: "the user that runs sluice needs the right to read it")
    }
}

private struct PathFindings {
    private let path: Located<String>
    private let fileSystem: any FileSystem
    private let isTable: Bool
    private let hide: (String) -> String

    init(_ spec: Spec, _ path: Located<String>, _ fileSystem: any FileSystem, isTable: Bool = false) {
        self.isTable = isTable
        self.path = path
        self.fileSystem = fileSystem
        let mask = spec.secretMask
        hide = { mask.hide($0) }
    }

    func ofSource(_ source: SourceSpec, isFollowed: Bool) -> [Diagnostic] {
        if let unexpanded { return [unexpanded] }
        do throws(FileError) {
            let pattern = FilePattern(absolutePath(path.value))
            let match = try pattern.resolve(fileSystem) { _ in false }
            if match.files.isEmpty { return [nothing(pattern, match.kind)] }
            var findings: [Diagnostic] = []
            for (file, info) in match.files.prefix(inspectedCountMax) where info.byteCount > 0 {
                guard
                    let kind = try UnreadFileKind.of(file, format: source.format, isFollowed: isFollowed, fileSystem)
                else { continue }
                findings.append(finding(.error, "file-kind", "\(file) \(kind.sentence)", fix: kind.remedy))
            }
            if findings.isEmpty, let headers = FileHeaders(source.format, source.columns, source.each),
                let first = match.files.filter({ $0.info.byteCount > 0 }).map(\.path).min(by: precedesInBytes)
            {
                findings += ofHeader(headers, first, isFollowed: isFollowed)
            }
            return findings
        } catch {
            if error.errno == ESPIPE {
                return [
                    finding(
                        .error, "not-a-file", "\(error.path) is not a regular file",
                        fix: "for a pipe use the connector `stdin: {}`")
                ]
            }
            return [finding(.warning, "file-unreadable", "\(error)", fix: "check the path and its permissions")]
        }
    }

    /// What columns ask for that the header of a file does not have, at the columns.
    private func ofHeader(_ headers: FileHeaders, _ file: String, isFollowed: Bool) -> [Diagnostic] {
        do throws(ConnectorError) {
            guard let line = try headers.read(file, fileSystem, isGrowing: isFollowed) else { return [] }
            return headers.trouble(line).map { trouble in
                Diagnostic(
                    .error, code: "file-header", at: trouble.column.position, length: trouble.column.name.count,
                    hide("\(file) \(trouble.sentence)"), fix: hide(trouble.remedy))
            }
        } catch {
            return [finding(.error, error.code, error.message, fix: nil)]
        }
    }

    private func nothing(_ pattern: FilePattern, _ kind: FilePattern.Match.Kind) -> Diagnostic {
        let what: String =
            switch kind {
            case .folder: "the folder \(pattern.path) has no files"
            case .glob: "no file matches \(pattern.path)"
            case .nothing, .file: "there is no file or folder \(pattern.path)"
            }
        return finding(
            .warning, "no-files", what,
            fix: isTable && kind != .folder
                ? "put the table's files there before the query starts, or correct `path`"
                : "what turns up there later is read; check the path if it should be there")
    }

    /// Names that a shell would have put in, in a path that is not there.
    var unexpanded: Diagnostic? {
        let components = path.value.split(separator: "/")
        guard let component = components.first(where: { variable($0) != nil }), let variable = variable(component)
        else { return nil }
        if let info = try? fileSystem.info(absolutePath(path.value)), info.kind != .other { return nil }
        return finding(
            .warning, "not-expanded", "`\(component)` in a path is taken as it is: \(absolutePath(path.value))",
            fix: "variables are written `${env:\(variable)}`")
    }

    /// The variable that a shell would look up for `~`, `$NAME` and `${NAME}`.
    private func variable(_ component: Substring) -> Substring? {
        if component == "~" { return "HOME" }
        guard let dollar = component.firstIndex(of: "$") else { return nil }
        let name = component[dollar...].dropFirst().drop { $0 == "{" }.prefix { isNamePart($0) }
        return name.isEmpty ? nil : name
    }

    private func isNamePart(_ character: Character) -> Bool {
        character == "_" || (character.isASCII && (character.isLetter || character.isNumber))
    }

    private func finding(
        _ severity: Diagnostic.Severity, _ code: String, _ message: String, fix: String?
    ) -> Diagnostic {
        Diagnostic(
            severity, code: code, at: path.position, length: path.length, hide(message), fix: fix.map { hide($0) })
    }
}
