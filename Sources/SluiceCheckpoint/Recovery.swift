// From what a folder holds to what is to be done: a pure function, so that every state a crash or a person can leave a
// folder in is a value in a test. The order of writes it relies on (N is a batch):
//
//     1  offsets/N, with a copy of the commit of N-1      durable before 2
//     2  state/N (when state changed)                     durable before 3
//     3  the sink makes N visible
//     4  commits/N                                        not waited for; durable as a copy in offsets/N+1
//
// So a commit counts when its own file or the copy in the next offsets file is good, and:
//
//     newest offsets is N, commits/N is good              go on with N+1
//     newest offsets is N, commits/N is torn or absent    run N again; what state/N holds is not looked at
//     offsets/N is torn and nothing came after it         it was never waited for: go on behind N-1
//
// Anything else does not come from a crash and is refused by name. Nothing here deletes what it does not understand:
// `discard` lists only files that this order of writes proves to be of no use.

/// What a checkpoint's folder means.
enum RecoveryDecision: Equatable, Sendable {
    /// Nothing was ever run. `metadata` is nil when not even that was written.
    case fresh(metadata: CheckpointMetadata?)
    /// All that was begun is committed.
    case resume(RecoveredFolder)
    /// `RecoveredFolder.inHand` was begun and has to be run again.
    case rerun(RecoveredFolder)
    /// A rollback was interrupted: finish removing what is behind its batch, then look again.
    case finishRollback(CheckpointMetadata, toBatch: Int64)
    case refuse(CheckpointError)
}

extension CommitRecord {
    fileprivate mutating func adopt(_ metadata: CheckpointMetadata, _ plans: [Int64: OffsetsRecord]) {
        guard origin == nil else { return }
        let offsets = plans[batch]
        origin = metadata.origin(at: batch)
        for index in entry.stages.indices { entry.stages[index].stage = metadata.nameOfFormat1 }
        plan = offsets?.entry(histories: [:]).fingerprint ?? ""
        sources = offsets?.sources.map(\.source) ?? entry.inputMaximaMillis.map { _ in "" }
    }
}

struct RecoveredFolder: Equatable, Sendable {
    var metadata: CheckpointMetadata
    /// The newest committed batch; nil when none is.
    var committed: CommitRecord?
    /// Of the committed batches from `retainedFrom` on, then of the batch in hand; ascending.
    var offsets: [OffsetsRecord]
    /// Of earlier batches that are not purged yet; ascending, perhaps with gaps.
    var olderOffsets: [OffsetsRecord]
    /// The oldest batch that logs may be there of.
    var firstLog: Int64
    /// Of the batches from `retainedFrom` on, up to the newest; ascending.
    var commits: [CommitRecord]
    /// Planned and not committed.
    var inHand: OffsetsRecord?
    /// What state after the committed batch is made of, oldest first.
    var stateFiles: [StateFile]
    /// Of no use, relative to the folder.
    var discard: [String]
    /// Committed batches whose commit file is gone; their content is in `commits`.
    var lostCommits: [Int64]

    /// Gives what format 1 does not say to all that may be written again, now that the metadata says it.
    mutating func adopt(_ metadata: CheckpointMetadata) {
        self.metadata = metadata
        let plans = Dictionary(uniqueKeysWithValues: offsets.map { ($0.batch, $0) })
        for index in commits.indices { commits[index].adopt(metadata, plans) }
        for index in offsets.indices {
            offsets[index].origin = metadata.origin(at: offsets[index].batch)
            offsets[index].previousCommit?.adopt(metadata, plans)
        }
        committed?.adopt(metadata, plans)
        for index in stateFiles.indices where stateFiles[index].header.origin == nil {
            for section in stateFiles[index].header.stages.indices {
                stateFiles[index].header.stages[section].stage = metadata.nameOfFormat1
            }
        }
        if inHand != nil { inHand = offsets.last }
    }

    var retainedFrom: Int64 { max(metadata.rolledBack.retainedFrom, committed?.retainedFrom ?? 0) }
    var stateFrom: Int64 { max(metadata.rolledBack.stateFrom, committed?.stateFrom ?? noBatch) }
}

/// Decides what to do with a folder. Pure; O(files in it). `folder` is for messages only.
func resolveRecovery(_ contents: FolderContents, folder: String) -> RecoveryDecision {
    do throws(CheckpointError) {
        return try Resolver(contents: contents, folder: folder).decide()
    } catch {
        return .refuse(error)
    }
}

private struct Resolver {
    let contents: FolderContents
    let folder: String

    func decide() throws(CheckpointError) -> RecoveryDecision {
        guard let metadata = try metadata() else { return .fresh(metadata: nil) }
        try refuseFutureFormats()
        if let batch = metadata.rolledBack.pendingBatch { return .finishRollback(metadata, toBatch: batch) }
        try refuseForeignFiles(metadata)
        try checkPlans()
        guard let newest = try newestOffsets() else {
            try checkThatNothingRan(metadata)
            return .fresh(metadata: metadata)
        }
        let isCommitted = try isCommitted(newest)
        let committed = isCommitted ? contents.commits[newest.batch]?.content : newest.previousCommit
        var recovered = RecoveredFolder(
            metadata: metadata, committed: committed, offsets: [], olderOffsets: [], firstLog: 0, commits: [],
            inHand: isCommitted ? nil : newest, stateFiles: [], discard: contents.temporaryFiles, lostCommits: [])
        try readLogs(into: &recovered, newest: newest.batch)
        try linkState(into: &recovered)
        return isCommitted ? .resume(recovered) : .rerun(recovered)
    }

    // MARK: The files one by one

    private func metadata() throws(CheckpointError) -> CheckpointMetadata? {
        let path = path(FolderLayout.metadata)
        switch contents.metadata {
        case .valid(let metadata)?: return metadata
        case .futureFormat(let format)?: throw .futureFormat(path: path, format: format)
        case .torn?: throw .corrupt(path: path, reason: "it is cut short")
        case .damaged(let reason)?: throw .corrupt(path: path, reason: reason)
        case nil:
            if contents.hasLogs { throw .missing(path: path, reason: "the folder holds the logs of a query") }
            return nil
        }
    }

    private func refuseFutureFormats() throws(CheckpointError) {
        for (batch, file) in contents.offsets.sorted(by: { $0.key < $1.key }) {
            if case .futureFormat(let format) = file { throw .futureFormat(path: offsetsPath(batch), format: format) }
        }
        for (batch, file) in contents.commits.sorted(by: { $0.key < $1.key }) {
            if case .futureFormat(let format) = file { throw .futureFormat(path: commitsPath(batch), format: format) }
        }
        for (name, file) in contents.stateFiles.sorted(by: { $0.key.to < $1.key.to }) {
            if case .futureFormat(let format) = file { throw .futureFormat(path: statePath(name), format: format) }
        }
    }

    /// A commit names the plan that was carried out. Also where nothing but the sources' logs depends on it any more.
    private func checkPlans() throws(CheckpointError) {
        for (batch, file) in contents.offsets.sorted(by: { $0.key < $1.key }) {
            guard let offsets = file.content, let plan = contents.commits[batch]?.content?.plan,
                plan != offsets.entry(histories: [:]).fingerprint
            else { continue }
            throw .inconsistent(
                path: offsetsPath(batch), reason: "\(commitsPath(batch)) is of another plan of that batch")
        }
    }

    /// Whole files of another query or life. Where that is so of most, it is metadata.json that does not belong here.
    private func refuseForeignFiles(_ metadata: CheckpointMetadata) throws(CheckpointError) {
        var files: [(path: String, batch: Int64, origin: FileOrigin?)] = []
        for (name, file) in contents.stateFiles.sorted(by: { $0.key.to < $1.key.to }) {
            if let file = file.content { files.append((statePath(name), name.to, file.header.origin)) }
        }
        for (batch, file) in contents.offsets.sorted(by: { $0.key < $1.key }) {
            guard let record = file.content else { continue }
            files.append((offsetsPath(batch), batch, record.origin))
            if let copy = record.previousCommit { files.append((offsetsPath(batch), copy.batch, copy.origin)) }
        }
        for (batch, file) in contents.commits.sorted(by: { $0.key < $1.key }) {
            if let record = file.content { files.append((commitsPath(batch), batch, record.origin)) }
        }
        let objections = files.compactMap { file in
            metadata.objection(to: file.origin, batch: file.batch).map { (file: file, reason: $0) }
        }
        guard let first = objections.min(by: { $0.file.batch < $1.file.batch }) else { return }
        let later = files.count { $0.batch >= first.file.batch }
        if objections.count > later / 2, objections.count > 1 {
            throw .foreign(
                path: path(FolderLayout.metadata),
                reason: "\(objections.count) files are of another query or life (\(first.file.path): \(first.reason))")
        }
        throw .foreign(path: first.file.path, reason: first.reason)
    }

    /// The newest batch that was planned for good; nil when there is none.
    private func newestOffsets() throws(CheckpointError) -> OffsetsRecord? {
        guard let newest = contents.offsets.keys.max() else { return nil }
        if case .torn? = contents.offsets[newest], !wasBegun(newest) {
            let before = contents.offsets.keys.filter { $0 < newest }.max()
            return try before.map { batch throws(CheckpointError) in try goodOffsets(batch) }
        }
        return try goodOffsets(newest)
    }

    /// True when something was written that comes after `offsets/batch` was made durable.
    private func wasBegun(_ batch: Int64) -> Bool {
        contents.commits.keys.contains { $0 >= batch } || contents.stateFiles.keys.contains { $0.to >= batch }
    }

    private func goodOffsets(_ batch: Int64) throws(CheckpointError) -> OffsetsRecord {
        switch contents.offsets[batch] {
        case .valid(let record)?: return record
        case nil:
            throw .missing(path: offsetsPath(batch), reason: "batches before and after it are there")
        case .damaged(let reason)?: throw .corrupt(path: offsetsPath(batch), reason: reason)
        case .torn?: throw .corrupt(path: offsetsPath(batch), reason: "it is cut short, though later files are there")
        case .futureFormat(let format)?: throw .futureFormat(path: offsetsPath(batch), format: format)
        }
    }

    private func checkThatNothingRan(_ metadata: CheckpointMetadata) throws(CheckpointError) {
        let first = max(0, metadata.rolledBack.retainedFrom)
        let isClean = contents.commits.isEmpty && contents.stateFiles.isEmpty && contents.historyFiles.isEmpty
        guard isClean, first == 0 else {
            let newest = max(first, contents.commits.keys.max() ?? 0, contents.stateFiles.keys.map(\.to).max() ?? 0)
            throw .missing(path: offsetsPath(newest), reason: "the folder holds what batches have written")
        }
    }

    private func isCommitted(_ newest: OffsetsRecord) throws(CheckpointError) -> Bool {
        if let ahead = contents.commits.keys.max(), ahead > newest.batch {
            throw .missing(path: offsetsPath(ahead), reason: "\(commitsPath(ahead)) is there")
        }
        let later = contents.stateFiles.keys.filter { $0.to > newest.batch }.map(\.to).min()
        if let later { throw .missing(path: offsetsPath(later), reason: "state of batch \(later) is there") }
        switch contents.commits[newest.batch] {
        case .valid(let record)?:
            if newest.batch > 0 { try checkSuccession(record, newest) }
            return true
        case .torn?, nil: return false
        case .damaged(let reason)?: throw .corrupt(path: commitsPath(newest.batch), reason: reason)
        case .futureFormat(let format)?: throw .futureFormat(path: commitsPath(newest.batch), format: format)
        }
    }

    /// What only grows must not be less in the newest commit than in the copy of the one before.
    private func checkSuccession(_ record: CommitRecord, _ offsets: OffsetsRecord) throws(CheckpointError) {
        guard let before = offsets.previousCommit else { return }
        guard before.stateTo <= record.stateTo, before.stateFrom <= record.stateFrom,
            record.stateTo == before.stateTo || record.stateTo == record.batch,
            record.stateTo != before.stateTo || record.stateChecksum == before.stateChecksum
                || before.stateChecksum == nil
        else {
            throw .inconsistent(
                path: commitsPath(record.batch), reason: "it does not continue the commit of batch \(before.batch)")
        }
    }

    // MARK: The logs together

    private func readLogs(into recovered: inout RecoveredFolder, newest: Int64) throws(CheckpointError) {
        let first = recovered.retainedFrom
        guard first <= newest else {
            throw .missing(path: offsetsPath(first), reason: "the checkpoint was rolled back to it or a later batch")
        }
        if let committed = recovered.committed, committed.batch < first {
            throw .missing(path: commitsPath(first), reason: "nothing before batch \(first) was kept")
        }
        for batch in first...newest { recovered.offsets.append(try goodOffsets(batch)) }
        if let committed = recovered.committed {
            for batch in first...committed.batch {
                recovered.commits.append(try commit(batch, committed: committed, &recovered.lostCommits))
            }
        }
        // Older logs stay for maintenance to purge: they may have what a crash took from the sources' logs.
        let older = contents.offsets.sorted { $0.key < $1.key }.filter { $0.key < first }
        recovered.olderOffsets = older.compactMap(\.value.content)
        recovered.firstLog = min(first, contents.offsets.keys.min() ?? first, contents.commits.keys.min() ?? first)
        for batch in contents.offsets.keys.sorted() where batch > newest {
            recovered.discard.append("\(FolderLayout.offsets)/\(batch)")
        }
        for batch in contents.commits.keys.sorted() where batch > recovered.committed?.batch ?? noBatch {
            recovered.discard.append("\(FolderLayout.commits)/\(batch)")
        }
    }

    /// From its own file, or from the copy in the offsets behind it.
    private func commit(
        _ batch: Int64, committed: CommitRecord, _ lost: inout [Int64]
    ) throws(CheckpointError) -> CommitRecord {
        let copy = contents.offsets[batch + 1]?.content?.previousCommit
        switch contents.commits[batch] {
        case .valid(let record)?:
            if let copy, !copy.isCopy(of: record) {
                throw .inconsistent(
                    path: commitsPath(batch), reason: "\(offsetsPath(batch + 1)) has another copy of it")
            }
            return record
        case .torn?, nil:
            lost.append(batch)
            // Offsets are contiguous here, so only the newest batch can be without a copy, and that one is `committed`.
            return copy ?? committed
        case .damaged(let reason)?: throw .corrupt(path: commitsPath(batch), reason: reason)
        case .futureFormat(let format)?: throw .futureFormat(path: commitsPath(batch), format: format)
        }
    }

    // MARK: The chain of state files

    private func linkState(into recovered: inout RecoveredFolder) throws(CheckpointError) {
        let committed = recovered.committed?.batch ?? noBatch
        let target = recovered.committed?.stateTo ?? noBatch
        let start = recovered.stateFrom
        var names: [StateFileName] = []
        let merged = contents.stateFiles.keys.filter { $0.kind == .merged }
        for name in contents.stateFiles.keys.sorted(by: { ($0.to, $0.from) < ($1.to, $1.from) }) {
            let isCovered = merged.contains { $0 != name && $0.covers(name) }
            if isCovered || name.to <= start || (name.kind == .delta && name.to > committed) {
                recovered.discard.append("\(FolderLayout.state)/\(name)")
            } else {
                names.append(name)
            }
        }
        var end = min(start, target)
        for name in names {
            let file = try stateFile(name)
            guard file.header.previous == end else { throw brokenChain(after: end, before: file) }
            end = name.to
            recovered.stateFiles.append(file)
        }
        if end > target, let last = recovered.stateFiles.last {
            throw .inconsistent(
                path: statePath(last.name), reason: "the last batch that has changed state is \(target)")
        }
        try checkChain(recovered)
        if end < target {
            let name = StateFileName(kind: .delta, from: target, to: target)
            throw .missing(path: statePath(name), reason: "batch \(target) has changed state")
        }
    }

    /// From the newest file back, each has to be the one that is named by what came after it.
    private func checkChain(_ recovered: RecoveredFolder) throws(CheckpointError) {
        guard let committed = recovered.committed, recovered.stateFiles.last?.name.to == committed.stateTo else {
            return
        }
        var named = committed.stateChecksum
        var namedBy = commitsPath(committed.batch)
        for file in recovered.stateFiles.reversed() {
            if let named, named != file.checksum {
                throw .inconsistent(
                    path: statePath(file.name),
                    reason: "\(namedBy) stands on one with the checksum \(checksumDigits(named)), and this one has "
                        + checksumDigits(file.checksum))
            }
            (named, namedBy) = (file.header.previousChecksum, statePath(file.name))
        }
    }

    private func stateFile(_ name: StateFileName) throws(CheckpointError) -> StateFile {
        switch contents.stateFiles[name] {
        case .valid(let file)?: return file
        case .damaged(let reason)?: throw .corrupt(path: statePath(name), reason: reason)
        case .futureFormat(let format)?: throw .futureFormat(path: statePath(name), format: format)
        case .torn?, nil: throw .corrupt(path: statePath(name), reason: "it is cut short")
        }
    }

    private func brokenChain(after end: Int64, before file: StateFile) -> CheckpointError {
        let previous = file.header.previous
        guard previous > end else {
            return .inconsistent(path: statePath(file.name), reason: "it does not follow the state of batch \(end)")
        }
        let name = StateFileName(kind: .delta, from: previous, to: previous)
        return .missing(
            path: statePath(name), reason: "nor is there a merged file that ends with batch \(previous)")
    }

    // MARK: Paths

    private func path(_ name: String) -> String { "\(folder)/\(name)" }
    private func offsetsPath(_ batch: Int64) -> String { path("\(FolderLayout.offsets)/\(batch)") }
    private func commitsPath(_ batch: Int64) -> String { path("\(FolderLayout.commits)/\(batch)") }
    private func statePath(_ name: StateFileName) -> String { path("\(FolderLayout.state)/\(name)") }
}
