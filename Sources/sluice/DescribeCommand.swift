// `sluice describe`: a sample of a file or a topic, as a source of a spec.

internal import SluiceDescribe
internal import SluiceRuntime
internal import SluiceSpec
internal import SluiceSystem

struct DescribeCommand {
    private let options: DescribeOptions
    private let files: any FileSystem
    private let clock: any Clock
    private let output: ErrorOutput

    init(_ options: DescribeOptions, files: any FileSystem, clock: any Clock, output: ErrorOutput) {
        self.options = options
        self.files = files
        self.clock = clock
        self.output = output
    }

    /// The exit code: 2 for an address that is none, and options that do not go together.
    func run() throws -> Int32 {
        let target: SampleTarget
        let schemas: SchemaSource
        do {
            target = try SampleTarget(options.target)
            schemas = try self.schemas()
        } catch let error as BadAddress {
            output.error("\(error)")
            return 2
        } catch let error as WrongUsage {
            output.error(error.message)
            return 2
        }
        let files = self.files
        let reader = SampleReader(zones: systemTimeZones(files), nowMillis: clock.wallMillis) { files.readSpecFile($0) }
        let sample = try Sample(target, schemas, reader, fileSystem: files, clock: clock)
        let description = try sample.described(reader)
        switch options.format {
        case .yaml: printLine(description.yaml)
        case .json: printLine(description.json.indentedText())
        }
        return 0
    }

    /// - Throws: where options do not go together.
    private func schemas() throws(WrongUsage) -> SchemaSource {
        if let url = options.registry {
            if options.schema != nil { throw WrongUsage("--schema and --registry: one of them has the schemas") }
            if options.message != nil { throw WrongUsage("--message is for --schema: a registry's values name theirs") }
            return .registry(
                RegistryAddress(
                    url: url, subject: options.subject, user: options.registryUser,
                    passwordFile: options.registryPasswordFile, ca: options.registryCA))
        }
        let others = [
            ("subject", options.subject), ("registry-user", options.registryUser),
            ("registry-password-file", options.registryPasswordFile), ("registry-ca", options.registryCA),
        ]
        if let other = others.first(where: { $0.1 != nil }) { throw WrongUsage("--\(other.0) is for --registry") }
        guard let path = options.schema else {
            if options.message != nil { throw WrongUsage("--message is for --schema") }
            return .none
        }
        return .file(path, message: options.message)
    }
}
