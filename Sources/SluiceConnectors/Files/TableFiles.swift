// The files of a table: which there are, and whether they have changed, without reading them.

package import SluiceSystem

/// What stands for a table's content as long as no file of it changes: names, sizes, times of the last change.
/// - Returns: nil when the path stands for nothing.
/// - Throws: `FileError` when the files cannot be looked at.
package func tableSignature(path: String, _ fileSystem: any FileSystem) throws(FileError) -> String? {
    let match = try FilePattern(path).resolve(fileSystem) { _ in false }
    if case .nothing = match.kind { return nil }
    if case .glob = match.kind, match.files.isEmpty { return nil }
    return match.files.map { file in
        "\(file.path) \(file.info.byteCount) \(file.info.modifiedNanos) \(file.info.inode)"
    }.joined(separator: "\n")
}
