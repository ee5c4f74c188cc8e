package import SluiceEngine
internal import SluicePlan
internal import SluiceSystem
internal import Synchronization

/// State files that are open at the same time while state is read.
private let openFileCount = 16

extension Checkpoint {
    /// Reads state as of the newest committed batch. For each shard of a stage `apply` gets the payloads oldest first;
    /// shards run in parallel. Files that hold nothing live are not read. Payloads may hold rows and marks at or below
    /// the commit's evictions, and marks of rows that are gone: both are to be passed over. What `apply` throws is
    /// reported as damage to the file that the payload came from. O(live files).
    package func loadState(
        parallel: ParallelFor,
        apply: @escaping @Sendable (_ stage: String, _ shard: Int, _ payload: [UInt8]) throws -> Void
    ) throws(CheckpointError) {
        let (files, evictions) = book.withLock { book in (book.stateFiles, book.committed?.entry.stages ?? []) }
        let live = files.filter { !$0.header.isEvicted(through: evictions) }
        for start in stride(from: 0, to: live.count, by: openFileCount) {
            let files = Array(live[start..<min(start + openFileCount, live.count)])
            try load(files, parallel: parallel, apply: apply)
        }
    }

    private func load(
        _ files: [StateFile], parallel: ParallelFor,
        apply: @escaping @Sendable (_ stage: String, _ shard: Int, _ payload: [UInt8]) throws -> Void
    ) throws(CheckpointError) {
        let opened = try open(files)
        let parts = Set(files.flatMap { $0.header.parts.map(\.part) }).sorted()
        for part in parts {
            let stored = metadata.stage(named: part.stage)
            let shardCount = stored?.layout?.shards ?? 0
            if part.shard < shardCount { continue }
            let what =
                stored == nil
                ? "a file has state of `\(part.stage)`" : "a file has shard \(part.shard) of \(shardCount)"
            throw .corrupt(path: stateFolder.path, reason: what)
        }
        let metadata = self.metadata
        try parallelThrowing(parts.count, parallel) { index throws(CheckpointError) in
            for (file, open) in zip(files, opened) {
                guard let position = file.header.parts.firstIndex(where: { $0.part == parts[index] }) else { continue }
                let payload = try self.stateFolder.readPayload(position, of: file, from: open)
                let stage = metadata.stage(named: parts[index].stage)?.name ?? ""
                do { try apply(stage, parts[index].shard, payload) } catch {
                    throw .corrupt(path: self.stateFolder.path(of: file.name), reason: "\(error)")
                }
            }
        }
    }

    func open(_ files: [StateFile]) throws(CheckpointError) -> [any ReadableFile] {
        var opened: [any ReadableFile] = []
        for file in files {
            do { opened.append(try fileSystem.open(stateFolder.path(of: file.name))) } catch { throw .file(error) }
        }
        return opened
    }
}
