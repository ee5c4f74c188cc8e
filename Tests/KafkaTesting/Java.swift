// Kafka's classes in a Java of their own. Half of what a short run costs is loading classes, so the first run of each
// main class leaves an archive of them beside the tests' binary, and later ones map it.

import Foundation
import Synchronization

/// How to start one of Kafka's main classes.
struct Java {
    let home: KafkaHome
    let mainClass: String
    let heapMegabytes: Int

    /// The command, and the archive that this run is to leave, if there is none yet.
    func command(_ arguments: [String], logSettings: String) -> (words: [String], newArchive: NewArchive?) {
        var options = [
            "-Xms\(min(heapMegabytes, 128))m", "-Xmx\(heapMegabytes)m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            // The machine's own complaints would be taken for a tool's output.
            "-Xlog:disable", "-Xshare:auto", "-Dlog4j2.configurationFile=\(logSettings)",
        ]
        var newArchive: NewArchive?
        if let archive = archivePath {
            if FileManager.default.fileExists(atPath: archive) {
                options.append("-XX:SharedArchiveFile=\(archive)")
            } else {
                let unfinished = "\(archive).\(UUID().uuidString)"
                options.append("-XX:ArchiveClassesAtExit=\(unfinished)")
                newArchive = NewArchive(unfinished: unfinished, path: archive)
            }
        }
        return ([home.java] + options + ["-cp", home.classPath, mainClass] + arguments, newArchive)
    }

    /// Another Java or another Kafka has archives of its own.
    private var archivePath: String? {
        guard let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") else { return nil }
        let folder = URL(filePath: own).deletingLastPathComponent().appending(path: "kafka-classes").path
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        guard FileManager.default.isWritableFile(atPath: folder) else { return nil }
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        let machine = URL(filePath: home.java).resolvingSymlinksInPath().path
        for byte in "\(machine) \(home.classPath)".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return "\(folder)/\(mainClass)-\(String(hash, radix: 16)).jsa"
    }
}

/// An archive of loaded classes that a run writes when it ends.
struct NewArchive: Sendable {
    let unfinished: String
    let path: String

    /// To be called when the run has ended; a run that was killed has left nothing.
    func keep() {
        if rename(unfinished, path) != 0 { unlink(unfinished) }
    }
}
