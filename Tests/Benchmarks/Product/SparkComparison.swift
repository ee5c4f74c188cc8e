// The same files through Spark Structured Streaming, in the same invocation (`--with-spark`): the same join, one file
// of each side a batch, a checkpoint, JSON files out, as many cores as Sluice has.

import Glibc

enum SparkComparison {
    private static let hint =
        "--with-spark needs pyspark 4.1.1 and Java 17: python3 -m venv DIR && DIR/bin/pip install pyspark==4.1.1,"
        + " then PATH=DIR/bin:$PATH"

    /// Ends the program with what to do where there is no pyspark.
    static func require() {
        let find = Child(["/usr/bin/env", "python3", "-c", "import pyspark"], output: "/dev/null").wait()
        guard find.exitCode == 0 else { fail(hint) }
    }

    /// One run of Spark, whose answer is right, beside the product's.
    static func measure(_ bench: Bench, _ input: Input, truth: Answer, _ runs: [JoinRun]) -> [Figure] {
        let place = "\(bench.folder)/spark"
        makeFolder(place)
        let workload = input.workload
        let script = "\(place)/spark_join.py"
        writeFile(script, readFile(scriptPath))
        _ = run(
            [
                "/usr/bin/env", "python3", script, input.folder, place, String(Processors.own.count),
                String(workload.delayMillis), String(workload.boundMillis),
            ], output: "\(place)/log.txt")
        // Seconds in batches, without the start of the virtual machine; batches; seconds of CPU; peak memory.
        let numbers = readText("\(place)/figures").split { $0 == " " || $0 == "\n" }.compactMap { Double($0) }
        guard numbers.count == 4 else { fail("Spark left no figures in \(place)") }
        let answer = workload.answer(in: "\(place)/out", suffix: ".txt")
        guard answer == truth else { fail("Spark's answer is \(answer), the truth is \(truth)") }
        removeFolder(place)
        let rows = Double(workload.rows * 2)
        let rate = rows / numbers[0]
        return [
            Figure(
                "rows/s of Spark", .number, rate,
                note: "\(Int(numbers[1])) batches, time in batches only, the answer is right"),
            Figure(
                "CPU per row of Spark", .micros, numbers[2] * 1e6 / rows,
                note: "of the whole process, peak memory \(Int(numbers[3] / 1e6)) MB"),
            Figure("rate of Sluice against Spark", .times, runs.map { $0.rowsPerSecond / rate }),
        ]
    }

    /// The script stands beside this file in the repository.
    private static var scriptPath: String {
        let path = "\(#filePath)"
        let folder = path[..<(path.firstRange(of: "/Product/")?.lowerBound ?? path.endIndex)]
        return "\(folder)/spark_join.py"
    }
}
