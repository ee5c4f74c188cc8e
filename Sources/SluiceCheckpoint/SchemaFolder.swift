// schemas/<name>: the schemas that a query's sources have met, one file each, so that a restart needs no registry and
// a batch that runs again reads by those that it read by before. Files are as all of a checkpoint's (ChecksummedText)
// and never waited for: one that is torn or missing is asked for again.

internal import SluiceConnectors
package import SluicePlan
package import SluiceSpec
package import SluiceSystem

/// The folder of one query.
package struct SchemaFolder: KeptValues {
    private let reader: CheckpointReader
    private let log: Log

    /// - Parameter checkpoint: the query's; it need not be there before something is kept.
    package init(checkpoint: String, fileSystem: any FileSystem, log: Log) {
        reader = CheckpointReader(folder: checkpoint, fileSystem: fileSystem)
        self.log = log
    }

    private func file(_ name: String) -> String { "\(FolderLayout.schemas)/\(plainFileName(name))" }

    package func value(_ name: String) -> JSONValue? {
        guard (try? reader.isThere(file(name))) == true else { return nil }
        let reason: String
        do throws(FileError) {
            switch try reader.checked(file(name)) {
            case .valid(let value): return value
            case .torn: return nil
            case .damaged(let found): reason = found
            case .futureFormat(let format): reason = "it has format \(format), which a newer release has written"
            }
        } catch { reason = error.description }
        log.warning(
            "A schema in the checkpoint cannot be used, its registry is asked again",
            [.path: .string(reader.path(file(name))), .error: .string(reason)])
        return nil
    }

    /// What sources have met, by source and number. Files that cannot be read are left out.
    package func met() -> [SchemaMet] {
        let files = ((try? reader.names(in: FolderLayout.schemas)) ?? []).compactMap { name -> JSONValue? in
            (try? reader.checked("\(FolderLayout.schemas)/\(name)"))?.content
        }
        let schemas = files.compactMap { value -> SchemaMet? in
            do throws(JSONError) {
                return SchemaMet(
                    source: try value.string("source"), id: try value.integer("id"),
                    language: try value.string("schemaType"), registry: try value.string("registry"))
            } catch { return nil }
        }
        return schemas.sorted { ($0.source, $0.registry, $0.id) < ($1.source, $1.registry, $1.id) }
    }

    package func keep(_ value: JSONValue, as name: String) {
        guard case .object(let members) = value else { preconditionFailure("objects are kept") }
        let content = JSONValue.object([JSONMember("format", .integer(checkpointFormat))] + members)
        let path = file(name)
        do throws(FileError) {
            try reader.fileSystem.makeFolders(reader.path(FolderLayout.schemas))
            try reader.fileSystem.write(reader.path(path), bytes: checksummedText(content))
        } catch {
            log.warning(
                "A schema cannot be put into the checkpoint: a restart needs its registry",
                [.path: .string(reader.path(path)), .error: .string(error.description)])
        }
    }
}
