// One run of the product over files, from an empty checkpoint to the end of its input, with its answer checked.

import Glibc

/// A place for a run: spec, output, checkpoint and progress file.
struct RunFolder {
    let path: String

    var output: String { "\(path)/out" }
    var progress: String { "\(path)/progress.jsonl" }
    var log: String { "\(path)/log.txt" }
    var specPath: String { "\(path)/spec.yaml" }

    init(_ path: String, _ spec: JoinSpec, _ workload: Workload) { self.init(path, spec: spec.text(workload)) }

    init(_ path: String, spec: String) {
        self.path = path
        makeFolder(path)
        writeFile(specPath, Array(spec.utf8))
    }

    /// The command that runs the spec; to the end of what is there, or on and on by the spec's trigger.
    func command(_ binary: String, onAndOn: Bool = false) -> [String] {
        let trigger = onAndOn ? [] : ["--trigger", "available_now"]
        return [binary, "run", specPath] + trigger + ["--progress", progress, "--log-level", "warning"]
    }

    /// Ends the program unless exactly the rows have come out that must.
    func check(_ workload: Workload, _ truth: Answer) {
        let answer = workload.answer(in: output)
        guard answer == truth else {
            fail("the answer of \(specPath) is wrong:\n  \(answer)\nthe truth is\n  \(truth)")
        }
    }

    /// Of all bytes written, those for the checkpoint: what is neither output nor progress.
    func checkpointBytes(_ cost: ProcessCost) -> Int {
        cost.writtenBytes - folderSize(output) - fileSize(progress) - fileSize(log)
    }
}

struct JoinRun {
    let cost: ProcessCost
    let batches: [ProgressRecord]
    let rowCount: Int
    let checkpointBytes: Int

    var rowsPerSecond: Double { Double(rowCount) / cost.seconds }
    var cpuMicrosPerRow: Double { cost.cpuSeconds * 1e6 / Double(rowCount) }
    var checkpointBytesPerRow: Double { Double(checkpointBytes) / Double(rowCount) }
    var peakMegabytes: Double { Double(cost.peakBytes) / 1e6 }

    /// Runs a join over the files of `input` and compares what comes out with `truth`.
    /// - Parameter workload: what the spec declares, where that is not what `input` was made for.
    init(
        _ bench: Bench, _ input: Input, _ spec: JoinSpec, of workload: Workload? = nil, truth: Answer,
        processors: Int? = nil
    ) {
        let folder = RunFolder("\(bench.folder)/run", spec, workload ?? input.workload)
        cost = run(folder.command(bench.binary), processors: processors, output: folder.log)
        if spec.outputFormat != "json" {
            rename(folder.output, "\(folder.path)/written")
            convert(
                bench, "\(folder.path)/written", spec.outputFormat, JoinSpec.outputColumns, to: folder.output, "json")
        }
        folder.check(input.workload, truth)
        batches = ProgressRecord.all(in: folder.progress)
        rowCount = input.workload.rows * 2
        checkpointBytes = folder.checkpointBytes(cost)
        removeFolder(folder.path)
    }
}

/// The workload in files.
struct Input {
    let workload: Workload
    let folder: String
    let byteCount: Int

    init(_ bench: Bench, _ workload: Workload, name: String = "input") {
        self.workload = workload
        folder = "\(bench.folder)/\(name)"
        byteCount = workload.write(to: folder)
    }

    var spec: JoinSpec { .files(in: folder) }

    func remove() { removeFolder(folder) }
}

/// Writes the rows of files in another format, one file a file, by the product.
/// - Parameter columns: names and types.
func convert(
    _ bench: Bench, _ source: String, _ format: String, _ columns: [(String, String)], to target: String,
    _ targetFormat: String
) {
    let folder = "\(bench.folder)/convert"
    makeFolder(folder)
    let text = """
        sluice: 1
        sources:
          rows:
            file: { path: "\(source)", max_files_per_trigger: 1 }
            format: \(format)
            columns: { \(columns.map { "\($0): \($1)" }.joined(separator: ", ")) }
        queries:
          convert: { from: rows, to: out }
        sinks:
          out: { file: { path: "\(target)" }, format: \(targetFormat) }

        """
    writeFile("\(folder)/spec.yaml", Array(text.utf8))
    _ = run([bench.binary, "run", "\(folder)/spec.yaml", "--trigger", "available_now"], output: "\(folder)/log")
    removeFolder(folder)
}
