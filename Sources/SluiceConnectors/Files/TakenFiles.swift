// The whole files that were taken last, with their sizes then: a few of them are looked at whenever the source is asked
// for news, in turn, so that the cost does not grow with what was ever taken.

internal import SluiceEngine

/// The files to keep an eye on.
struct TakenFiles {
    struct Grown: Hashable {
        var path: String
        var takenByteCount: Int64
        var byteCount: Int64
    }

    /// So many files are watched, the last ones taken.
    static let countMax = 256
    /// So many of them are looked at each time but the first.
    static let lookCountMax = 8

    /// `isSize`: false for what a checkpoint says of a file, which of a compressed one is the length of its text.
    private var files: [(path: String, byteCount: Int64, isSize: Bool)] = []
    private var next = 0
    private var isFirstLook = true

    /// At a start: those that sort last.
    init(_ position: SourceOffsets) {
        files = position.next.sorted { precedesInBytes($0.key, $1.key) }.suffix(Self.countMax)
            .map { ($0.key, $0.value, false) }
    }

    mutating func add(_ path: String, byteCount: Int64) {
        files.append((path, byteCount, true))
        if files.count > Self.countMax {
            files.removeFirst()
            next = max(0, next - 1)
        }
    }

    /// Those that have grown; each is told once.
    /// - Parameters:
    ///   - byteCount: how long the file at a path is; nil when it is not there.
    ///   - isCompressed: asked of a file that looks as if it had grown.
    mutating func look(_ byteCount: (String) -> Int64?, isCompressed: (String) -> Bool) -> [Grown] {
        var grown: [Grown] = []
        var told: Set<Int> = []
        for _ in 0..<min(files.count, isFirstLook ? files.count : Self.lookCountMax) {
            let index = next % files.count
            next = index + 1
            let file = files[index]
            guard let now = byteCount(file.path), now > file.byteCount else { continue }
            if !file.isSize, isCompressed(file.path) {
                files[index] = (file.path, now, true)
                continue
            }
            grown.append(Grown(path: file.path, takenByteCount: file.byteCount, byteCount: now))
            told.insert(index)
        }
        isFirstLook = false
        if !told.isEmpty {
            files = files.indices.filter { !told.contains($0) }.map { files[$0] }
            next = 0
        }
        return grown
    }
}
