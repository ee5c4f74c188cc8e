// The executable: reads the command line and calls what does it. Results of a `stdout` sink go to standard output,
// everything about the run to standard error.

internal import Glibc
internal import SluiceSystem

@main
struct Sluice {
    static func main() {
        ignoreBrokenPipes()
        giveBackLargeBlocks()
        raiseOpenFileLimit()
        switch parseCommandLine(Array(CommandLine.arguments.dropFirst())) {
        case .command(let command): exit(run(command))
        case .information(let text): printLine(text)
        case .wrongUsage(let text):
            printError(text)
            exit(2)
        }
    }

    private static func run(_ command: Command) -> Int32 {
        let files = RealFileSystem()
        let clock = SystemClock()
        do {
            switch command {
            case .run(let options): return try RunCommand(options, files: files, clock: clock).run()
            case .check(let options): return try CheckCommand(options, files: files).run()
            case .explain(let options): return try ExplainCommand(options, files: files).run()
            case .control(let options): return try ControlCommand(options, files: files).run()
            case .tune(let options): return try TuneCommand(options, files: files, clock: clock).run()
            case .demo: return try DemoCommand(files: files, clock: clock, print: printLine).run() ? 0 : 1
            }
        } catch {
            printError("error: \(error)")
            return 1
        }
    }
}

/// A line, or several, to standard output.
func printLine(_ text: String) { write(text, to: 1) }

/// A line, or several, to standard error.
func printError(_ text: String) { write(text, to: 2) }

private func write(_ text: String, to descriptor: Int32) {
    let line = Array((text.hasSuffix("\n") ? text : text + "\n").utf8)
    line.withUnsafeBytes { _ = writeFully(to: descriptor, [$0]) }
}

/// An environment variable.
func environmentVariable(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
}
