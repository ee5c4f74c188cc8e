// Files that get their name in a folder, as they get it.

import Glibc

/// A watch on a folder; `close` ends it.
struct MovedFiles {
    private let watch: Int32

    init(in folder: String) {
        watch = inotify_init1(Int32(IN_NONBLOCK))
        inotify_add_watch(watch, folder, UInt32(IN_MOVED_TO))
    }

    func close() { Glibc.close(watch) }

    /// The names that files have got since the last call; waits for one, at most until a time.
    func next(untilSeconds: Double) -> [String] {
        var descriptor = pollfd(fd: watch, events: Int16(POLLIN), revents: 0)
        let waitMillis = max(0, untilSeconds - monotonicSeconds()) * 1000
        guard poll(&descriptor, 1, Int32(waitMillis.rounded(.up))) > 0 else { return [] }
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        let count = read(watch, &buffer, buffer.count)
        guard count > 0 else { return [] }
        return buffer.withUnsafeBytes { bytes in
            var (names, start) = ([String](), 0)
            while start < count {
                // watch, mask, cookie, length of the name, name with zeros behind it
                let length = Int(bytes.loadUnaligned(fromByteOffset: start + 12, as: UInt32.self))
                let name = bytes[start + 16..<start + 16 + length].prefix { $0 != 0 }
                names.append(String(decoding: name, as: UTF8.self))
                start += 16 + length
            }
            return names
        }
    }
}
