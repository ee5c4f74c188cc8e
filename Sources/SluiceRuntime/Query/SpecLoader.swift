// From the paths on a command line to planned queries and their diagnostics: the only place where spec files are read.

internal import Glibc
internal import SluiceConnectors
package import SluiceEngine
package import SluicePlan
package import SluiceSpec
package import SluiceSystem

/// What the spec files of a command line say.
package struct LoadedSpec: Sendable {
    /// nil when there are errors.
    package var spec: Spec?
    /// Per query, in the order of their names; only queries that could be planned.
    package var plans: [PlannedQuery]
    /// All findings, sorted by place.
    package var diagnostics: [Diagnostic]
    /// For showing the lines that diagnostics speak of.
    package var lines: SourceLines

    package var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }
}

package struct PlannedQuery: Sendable {
    package var spec: QuerySpec
    package var result: PlanningResult
}

package struct SpecLoader {
    private let fileSystem: any FileSystem
    private let environment: (String) -> String?
    private let zones: TimeZones

    /// - Parameters:
    ///   - environment: the value of an environment variable, nil when it is not set.
    ///   - zones: the time zones a spec may name; those of the file system unless given.
    package init(
        fileSystem: any FileSystem, environment: @escaping (String) -> String?, zones: TimeZones? = nil
    ) {
        self.fileSystem = fileSystem
        self.environment = environment
        self.zones = zones ?? systemTimeZones(fileSystem)
    }

    /// Reads, checks and plans. A path may be a folder: then all its `*.yaml` and `*.yml` count. `looksAtFiles` says
    /// whether the files that sources name are looked at too.
    /// - Throws: `FileError` when a path cannot be read at all.
    package func load(_ paths: [String], looksAtFiles: Bool = false) throws(FileError) -> LoadedSpec {
        let (files, unread) = try read(paths)
        let fileSystem = self.fileSystem
        let (spec, readDiagnostics) = SpecReader.read(
            files: files, unread: unread, environment: environment,
            readFile: { fileSystem.readSpecFile($0) })
        var loaded = LoadedSpec(
            spec: spec, plans: [], diagnostics: readDiagnostics, lines: SourceLines(files: files))
        if let spec {
            for query in spec.queries {
                let result = Planner.plan(query: query, in: spec)
                loaded.plans.append(PlannedQuery(spec: query, result: result))
                // A sink's key that is wrong for several queries is one mistake.
                let known = Set(loaded.diagnostics)
                loaded.diagnostics += result.diagnostics.filter { !known.contains($0) }
            }
            loaded.diagnostics += unknownZones(spec)
            loaded.diagnostics += kafkaOptionFindings(spec, fileSystem)
            loaded.diagnostics += registryFindings(spec, fileSystem)
            if looksAtFiles { loaded.diagnostics += fileFindings(spec, fileSystem) }
            loaded.diagnostics.sort { $0.position < $1.position }
        }
        return loaded
    }

    /// The files of `paths`, and what is wrong with those that cannot be specs.
    private func read(
        _ paths: [String]
    ) throws(FileError) -> (files: [(name: String, text: [UInt8])], unread: [Diagnostic]) {
        var files: [(name: String, text: [UInt8])] = []
        var unread: [Diagnostic] = []
        for path in paths {
            for file in try specFiles(path) {
                do throws(NamedFileProblem) {
                    files.append((file, try fileSystem.readNamed(file, atMost: SpecReader.fileBytesMax)))
                } catch {
                    let start = SourcePosition(file: file, line: 1, column: 1)
                    switch error {
                    case .failed(let error): throw error
                    case .tooLarge:
                        unread.append(
                            Diagnostic(
                                .error, .tooLarge, at: start, "this is no spec: \(error.reason)",
                                fix: "split it: several files on one command line form one spec"))
                    case .notAFile:
                        unread.append(
                            Diagnostic(
                                .error, .notAFile, at: start, "this is no spec: \(error.reason)",
                                fix: "write the spec into a file, and name that"))
                    }
                }
            }
        }
        return (files, unread)
    }

    /// Which zones there are is known here only: the spec reader and the planner read no files.
    private func unknownZones(_ spec: Spec) -> [Diagnostic] {
        spec.inputs.filter { !zones.contains($0.timeZone.value) }.map { source in
            Diagnostic(
                .error, code: "unknown-time-zone", at: source.timeZone.position, length: source.timeZone.length,
                "this machine knows no time zone `\(source.timeZone.value)`",
                fix: "use a name such as `Europe/Paris`; they come with the package tzdata")
        }
    }

    private func specFiles(_ path: String) throws(FileError) -> [String] {
        guard let info = try fileSystem.info(path), info.kind == .folder else { return [path] }
        let folder = path.hasSuffix("/") ? String(path.dropLast()) : path
        let names = try fileSystem.list(folder).filter { name in
            !name.hasPrefix(".") && (name.hasSuffix(".yaml") || name.hasSuffix(".yml"))
        }
        if names.isEmpty { throw FileError(operation: "find a *.yaml file in", path: folder, errno: ENOENT) }
        return names.map { "\(folder)/\($0)" }
    }
}

extension FileSystem {
    /// What a file has that a spec names: a secret, a schema.
    package func readSpecFile(_ path: String) -> Result<[UInt8], UnreadableFile> {
        do throws(NamedFileProblem) {
            return .success(try readNamed(path, atMost: SpecReader.namedFileBytesMax))
        } catch {
            return .failure(UnreadableFile(reason: error.reason))
        }
    }
}
