// Whose a file sink's folder is. Batches are files named by their number, so two queries, or two lives of one, that
// write to one folder replace each other's files without a word. A mark in the folder says who writes to it:
//
//     .sluice-owner       sluice/1 id=4f2c…  query=visits_ads
//                         life=9b01… from=0
//                         life=77d2… from=39
//
// Its name begins with a dot, which readers of folders skip. It is written once a life, so it costs no batch anything;
// which batch was the last one, the names of the files say.

/// What the mark in a folder says.
struct FolderOwner: Hashable {
    static let fileName = ".sluice-owner"

    /// The checkpoint's id.
    var queryID: String
    var query: String
    /// As the checkpoint had them when the mark was written, ascending.
    var lives: [CheckpointLife]

    init(queryID: String, query: String, lives: [CheckpointLife]) {
        self.queryID = queryID
        self.query = query
        self.lives = lives
    }

    /// The mark's text, for people too.
    var text: String {
        "sluice/1 id=\(queryID) query=\(query)\n" + lives.map { "life=\($0.id) from=\($0.from)\n" }.joined()
    }

    /// nil for a text that is no mark.
    init?(_ text: String) {
        var lines = text.split(separator: "\n").map(String.init)
        guard !lines.isEmpty else { return nil }
        let first = lines.removeFirst().split(separator: " ", maxSplits: 2)
        guard first.count == 3, first[0] == "sluice/1", let id = value(first[1], "id"),
            let query = value(first[2], "query")
        else { return nil }
        self.init(queryID: id, query: query, lives: [])
        for line in lines {
            let words = line.split(separator: " ")
            guard words.count == 2, let life = value(words[0], "life"),
                let from = value(words[1], "from").flatMap({ Int64($0) }), from > lives.last?.from ?? -1
            else { return nil }
            lives.append(CheckpointLife(id: life, from: from))
        }
        if lives.first?.from != 0 { return nil }
    }

    /// The life that a batch's file was written in.
    func life(at batch: Int64) -> String? { lives.last { $0.from <= batch }?.id }
}

/// What follows `name=` in a word.
private func value(_ word: some StringProtocol, _ name: String) -> String? {
    word.hasPrefix("\(name)=") ? String(word.dropFirst(name.utf8.count + 1)) : nil
}

/// What a folder's mark and files mean for a query that is to write there. Pure.
enum FolderClaim: Hashable {
    /// It is the query's own.
    case own
    /// It may become the query's own.
    case free
    /// As `free`; what is staged in it is the query's own, of a time when folders had no mark.
    case inherited
    /// Somebody else's. The reason says whose.
    case refused(code: String, reason: String)

    /// - Parameters:
    ///   - owner: what the mark says; nil where there is none.
    ///   - newest: the newest batch that has a file; nil where there are none.
    init(_ start: SinkStart, owner: FolderOwner?, newest: Int64?) {
        guard let newest else {
            // Nothing in it can be lost, whoever had it before.
            self = owner?.queryID == start.queryID ? .own : owner == nil && start.marks == nil ? .inherited : .free
            return
        }
        guard let owner else {
            self =
                start.marks == nil && newest <= (start.lastCommitted ?? -1) + 1
                ? .inherited
                : .refused(
                    code: "sink-folder-not-owned",
                    reason: "it holds output (up to batch \(newest)) and no mark that says whose it is")
            return
        }
        self = Self.judge(start, owner, newest)
    }

    private static func judge(_ start: SinkStart, _ owner: FolderOwner, _ newest: Int64) -> FolderClaim {
        guard owner.queryID == start.queryID else {
            return .refused(
                code: "sink-folder-of-another-query",
                reason: "it holds the output of the query `\(owner.query)` with another checkpoint (id "
                    + "\(owner.queryID))")
        }
        let known = start.lastCommitted.map { "ends with batch \($0)" } ?? "has none"
        guard newest <= start.newestBatch else {
            return .refused(
                code: "sink-folder-ahead",
                reason: "it has batch \(newest), and the checkpoint \(known): the checkpoint is an older copy or was "
                    + "rolled back, and rows would come twice")
        }
        guard owner.life(at: newest) == start.life(at: newest) else {
            return .refused(
                code: "sink-folder-of-another-life",
                reason: "its batch \(newest) is of another life of this query: the checkpoint went another way since")
        }
        return .own
    }
}
