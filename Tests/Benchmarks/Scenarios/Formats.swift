// The same rows as flat JSON, as nested JSON, as CSV, as Avro and compressed; and rows of which most fields are of no
// use.

func measureFormats(_ bench: Bench) -> [Figure] {
    var workload = bench.workload
    workload.rows /= 5
    return measureRecords(bench, workload) + measureAvro(bench, workload) + measureCompressed(bench, workload)
        + measurePruning(bench, workload)
}

private func measureRecords(_ bench: Bench, _ workload: Workload) -> [Figure] {
    let formats: [(name: String, format: RowFormat)] = [("flat", .json), ("nested", .nestedJSON), ("csv", .csv)]
    let inputs = formats.map { name, format in
        var workload = workload
        workload.format = format
        return Input(bench, workload, name: "input-\(name)")
    }
    defer { for input in inputs { input.remove() } }
    let truth = Truth(workload).answer(.leftOuter)
    let runs = bench.inTurn(inputs.indices) { JoinRun(bench, inputs[$0], inputs[$0].spec, truth: truth) }
    func note(_ index: Int) -> String {
        let bytes = inputs[index].byteCount / workload.rows / 2
        return "\(bytes) bytes a row, \(grouped(Int(median(runs[index].map(\.rowsPerSecond))))) rows/s, CPU "
            + cpuText(runs[index])
    }
    func rates(_ index: Int) -> [Double] { zip(runs[index], runs[0]).map { $0.rowsPerSecond / $1.rowsPerSecond } }
    return [
        Figure("rows/s, flat JSON", .number, runs[0].map(\.rowsPerSecond), note: note(0)),
        Figure(.nestedJSON, rates(1), note: note(1)), Figure(.csv, rates(2), note: note(2)),
    ]
}

/// Container files in, made by the product of the flat ones, and out, read back by it. And rows of 60 fields against
/// those five of them that are used.
private func measureAvro(_ bench: Bench, _ workload: Workload) -> [Figure] {
    var wide = workload
    wide.fillerCount = 57
    var used = wide
    used.declaresFillers = false
    let (flat, filled) = (Input(bench, workload, name: "input-flat"), Input(bench, wide, name: "input-filled"))
    let folders = [
        packed(flat, workload, bench), packed(filled, wide, bench), packed(filled, used, bench),
    ]
    defer { for folder in [flat.folder, filled.folder] + folders { removeFolder(folder) } }
    let (truth, wideTruth) = (Truth(workload).answer(.leftOuter), Truth(wide).answer(.leftOuter))
    let runs = bench.inTurn(0..<5) { kind in
        if kind == 0 { return JoinRun(bench, flat, flat.spec, truth: truth) }
        var spec = kind == 2 ? flat.spec : JoinSpec.files(in: folders[max(0, kind - 2)])
        if kind == 2 { spec.outputFormat = "avro" } else { spec.inputFormat = "avro" }
        return kind < 3
            ? JoinRun(bench, flat, spec, truth: truth) : JoinRun(bench, filled, spec, of: used, truth: wideTruth)
    }
    func rates(_ kind: Int, _ base: Int) -> [Double] {
        zip(runs[kind], runs[base]).map { $0.rowsPerSecond / $1.rowsPerSecond }
    }
    func note(_ kind: Int) -> String { "CPU \(cpuText(runs[kind])), JSON \(cpuText(runs[0]))" }
    return [
        Figure(.avro, rates(1, 0), note: note(1)), Figure(.avroOut, rates(2, 0), note: note(2)),
        Figure(.avroWide, rates(3, 4), note: "CPU \(cpuText(runs[3])), 5 fields \(cpuText(runs[4]))"),
    ]
}

/// The files of an input as container files, of those columns that a workload declares. Returns their folder.
private func packed(_ input: Input, _ workload: Workload, _ bench: Bench) -> String {
    let folder = input.folder + (workload.declaresFillers ? "-avro" : "-avro-used")
    makeFolder(folder)
    for (side, columns) in workload.declaredColumns {
        convert(bench, "\(input.folder)/\(side)", "json", columns, to: "\(folder)/\(side)", "avro")
    }
    return folder
}

/// CPU a row beyond that of plain input, as a multiple of what `gzip -dc` takes for the same files.
private func measureCompressed(_ bench: Bench, _ workload: Workload) -> [Figure] {
    let plain = Input(bench, workload, name: "input-plain")
    let packed = Input(bench, workload, name: "input-packed")
    defer { for input in [plain, packed] { input.remove() } }
    _ = run(["/usr/bin/gzip", "-r", packed.folder])
    let files = ["visits", "ads"].flatMap { side in
        list("\(packed.folder)/\(side)").map { "\(packed.folder)/\(side)/\($0)" }
    }
    let truth = Truth(workload).answer(.leftOuter)
    let rows = Double(workload.rows * 2)
    let runs = bench.inTurn(0..<3) { kind -> Double in
        if kind == 2 { return run(["/usr/bin/gzip", "-dc"] + files, output: "/dev/null").cpuSeconds * 1e6 / rows }
        let input = kind == 0 ? plain : packed
        return JoinRun(bench, input, input.spec, truth: truth).cpuMicrosPerRow
    }
    let ratios = runs[0].indices.map { (runs[1][$0] - runs[0][$0]) / runs[2][$0] }
    let texts = runs.map { Unit.micros.text(median($0)) }
    return [
        Figure(
            .gzipInput, ratios, note: "a row: \(texts[0]) plain, \(texts[1]) compressed, \(texts[2]) unpacking alone")
    ]
}

/// Rows of 60 fields, of which five are used: all declared, and only those five.
private func measurePruning(_ bench: Bench, _ workload: Workload) -> [Figure] {
    var all = workload
    all.fillerCount = 57
    var used = all
    used.declaresFillers = false
    let input = Input(bench, all, name: "input-pruned")
    defer { input.remove() }
    let truth = Truth(all).answer(.leftOuter)
    let runs = bench.inTurn(0..<2) { kind in
        JoinRun(bench, input, input.spec, of: kind == 0 ? all : used, truth: truth)
    }
    let bytes = input.byteCount / all.rows / 2
    return [
        Figure(
            "rows/s, 60 fields, 5 used", .number, runs[0].map(\.rowsPerSecond),
            note: "\(bytes) bytes a row, CPU \(cpuText(runs[0]))"),
        Figure(
            "CPU, 60 columns declared against those 5", .times,
            zip(runs[0], runs[1]).map { $0.cpuMicrosPerRow / $1.cpuMicrosPerRow }),
    ]
}
