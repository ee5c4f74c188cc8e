// Plain file calls for the benchmarks; they measure the product and so do not stand on it.

import Glibc

func makeFolder(_ path: String) {
    var built = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
        built += "/\(part)"
        mkdir(built, 0o755)
    }
}

func writeFile(_ path: String, _ bytes: [UInt8]) {
    guard let file = fopen(path, "w") else { fail("cannot write \(path)") }
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
}

func readFile(_ path: String) -> [UInt8] {
    guard let file = fopen(path, "r") else { fail("cannot read \(path)") }
    defer { fclose(file) }
    fseek(file, 0, SEEK_END)
    let count = ftell(file)
    rewind(file)
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
        filled = fread(buffer.baseAddress, 1, count, file)
    }
}

/// The names that are not hidden, sorted.
func list(_ folder: String) -> [String] {
    listAll(folder).filter { !$0.hasPrefix(".") }.sorted()
}

func removeFolder(_ path: String) {
    for name in listAll(path) {
        let child = "\(path)/\(name)"
        if unlink(child) != 0 { removeFolder(child) }
    }
    rmdir(path)
}

private func listAll(_ folder: String) -> [String] {
    guard let handle = opendir(folder) else { return [] }
    defer { closedir(handle) }
    var names: [String] = []
    while let entry = readdir(handle) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != "." && name != ".." { names.append(name) }
    }
    return names
}

func fileSize(_ path: String) -> Int {
    var facts = stat()
    return stat(path, &facts) == 0 ? Int(facts.st_size) : 0
}

func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

/// The bytes of all files in a folder, hidden ones left out.
func folderSize(_ folder: String) -> Int { list(folder).reduce(0) { $0 + fileSize("\(folder)/\($1)") } }

/// Ends the program: a benchmark whose answer is wrong, or that could not be run, has no figure.
func fail(_ message: String) -> Never {
    let line = Array("benchmark: \(message)\n".utf8)
    write(2, line, line.count)
    exit(1)
}
