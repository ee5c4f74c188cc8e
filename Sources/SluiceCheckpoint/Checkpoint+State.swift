package import SluiceEngine
internal import SluicePlan
internal import SluiceSystem
internal import Synchronization

/// State files that are open at the same time while state is read.
private let openFileCount = 16

extension Checkpoint {
    /// Reads state as of the newest committed batch. For each shard `apply` gets the payloads oldest first; shards run
    /// in parallel. Files that hold nothing live are not read. Payloads may hold rows and marks at or below the
    /// commit's `evictedThroughMicros`, and marks of rows that are gone: both are to be passed over. What `apply`
    /// throws is reported as damage to the file that the payload came from. O(live files).
    package func loadState(
        parallel: ParallelFor, apply: @escaping @Sendable (_ shard: Int, _ payload: [UInt8]) throws -> Void
    ) throws(CheckpointError) {
        let (files, evictedThrough) = book.withLock { book in
            (book.stateFiles, book.committed?.entry.evictedThroughMicros ?? [])
        }
        let live = files.filter { !$0.header.isEvicted(through: evictedThrough) }
        for start in stride(from: 0, to: live.count, by: openFileCount) {
            let files = Array(live[start..<min(start + openFileCount, live.count)])
            try load(files, parallel: parallel, apply: apply)
        }
    }

    private func load(
        _ files: [StateFile], parallel: ParallelFor,
        apply: @escaping @Sendable (_ shard: Int, _ payload: [UInt8]) throws -> Void
    ) throws(CheckpointError) {
        let opened = try open(files)
        let shards = Set(files.flatMap { $0.header.shards.map(\.shard) }).sorted()
        let shardCount = metadata.layout?.shards ?? 0
        if let last = shards.last, last >= shardCount {
            throw .corrupt(path: stateFolder.path, reason: "a file has shard \(last) of \(shardCount)")
        }
        try parallelThrowing(shards.count, parallel) { index throws(CheckpointError) in
            for (file, open) in zip(files, opened) {
                guard let part = file.header.shards.firstIndex(where: { $0.shard == shards[index] }) else { continue }
                let payload = try self.stateFolder.readPayload(part, of: file, from: open)
                do { try apply(shards[index], payload) } catch {
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
