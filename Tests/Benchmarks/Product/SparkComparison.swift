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

    /// What one run of Spark has cost, whose answer is right.
    private struct SparkRun {
        /// In batches, without the start of the virtual machine.
        var seconds: Double
        var batches: Int
        var cpuSeconds: Double
        var peakBytes: Double

        /// - Parameters:
        ///   - job: of the script.
        ///   - check: ends the program unless the right rows are in the folder, in files that end with the suffix.
        init(
            _ bench: Bench, _ job: String, _ input: String, delayMillis: Int, boundMillis: Int,
            check: (_ output: String, _ suffix: String) -> Void
        ) {
            let place = "\(bench.folder)/spark"
            makeFolder(place)
            let script = "\(place)/spark_join.py"
            writeFile(script, readFile(scriptPath))
            _ = run(
                [
                    "/usr/bin/env", "python3", script, job, input, place, String(Processors.own.count),
                    String(delayMillis), String(boundMillis),
                ], output: "\(place)/log.txt")
            let numbers = readText("\(place)/figures").split { $0 == " " || $0 == "\n" }.compactMap { Double($0) }
            guard numbers.count == 4 else { fail("Spark left no figures in \(place)") }
            (seconds, batches, cpuSeconds, peakBytes) = (numbers[0], Int(numbers[1]), numbers[2], numbers[3])
            check("\(place)/out", ".txt")
            removeFolder(place)
        }

        var note: String { "\(batches) batches, time in batches only, the answer is right" }
    }

    /// The workload's join, beside the product's runs.
    static func measure(_ bench: Bench, _ input: Input, truth: Answer, _ runs: [JoinRun]) -> [Figure] {
        let workload = input.workload
        let spark = SparkRun(
            bench, "visits-ads", input.folder, delayMillis: workload.delayMillis, boundMillis: workload.boundMillis
        ) { output, suffix in
            let answer = workload.answer(in: output, suffix: suffix)
            guard answer == truth else { fail("Spark's answer is \(answer), the truth is \(truth)") }
        }
        let rows = Double(workload.rows * 2)
        let rate = rows / spark.seconds
        return [
            Figure("rows/s of Spark", .number, rate, note: spark.note),
            Figure(
                "CPU per row of Spark", .micros, spark.cpuSeconds * 1e6 / rows,
                note: "of the whole process, peak memory \(Int(spark.peakBytes / 1e6)) MB"),
            Figure("rate of Sluice against Spark", .times, runs.map { $0.rowsPerSecond / rate }),
        ]
    }

    /// A left outer chain of three streams.
    /// - Parameter seconds: of the product's runs.
    static func measureChain(
        _ bench: Bench, _ input: StreamRows, _ truth: StreamAnswer, _ seconds: [Double]
    ) -> [Figure] {
        let spark = SparkRun(
            bench, "chain", input.folder, delayMillis: StreamRows.delayMillis, boundMillis: StreamRows.boundMillis
        ) { output, suffix in
            let answer = input.answer(in: output, 3, suffix: suffix)
            guard answer == truth else { fail("Spark's answer is \(answer), the truth is \(truth)") }
        }
        return [
            Figure("rows/s of Spark, three streams", .number, Double(input.rows * 3) / spark.seconds, note: spark.note),
            Figure("rate of Sluice against Spark, three streams", .times, seconds.map { spark.seconds / $0 }),
        ]
    }

    /// The script stands beside this folder in the repository.
    private static var scriptPath: String {
        let path = "\(#filePath)"
        let folder = path[..<(path.firstRange(of: "/Product/")?.lowerBound ?? path.endIndex)]
        return "\(folder)/spark_join.py"
    }
}
