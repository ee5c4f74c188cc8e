// What is wrong with the options of a spec's Kafka sources and sinks, each at its place, as far as it can be known
// without a broker: names, values, files, and whether librdkafka makes a client of them together.

internal import CRdKafka
package import SluiceSpec
package import SluiceSystem

/// All findings, options that librdkafka does not know or take first.
package func kafkaOptionFindings(_ spec: Spec, _ fileSystem: any FileSystem) -> [Diagnostic] {
    let connectors: [[KafkaOption]?] =
        spec.inputs.map { ($0.connector as? KafkaSourceSpec)?.options }
        + spec.sinks.map { ($0.connector as? KafkaSinkSpec)?.options }
    var findings: [Diagnostic] = []
    for options in connectors.compactMap(\.self) {
        let single = options.compactMap { finding($0) ?? fileFinding($0, fileSystem) }
        findings += single.isEmpty ? [tokenFinding(options) ?? clientFinding(options)].compactMap(\.self) : single
    }
    // Options that stand in the defaults are everybody's.
    var known: Set<Diagnostic> = []
    return findings.filter { known.insert($0).inserted }.map { finding in
        var finding = finding
        finding.message = spec.secretMask.hide(finding.message)
        return finding
    }
}

/// A name that librdkafka does not know, or a value that it does not take.
private func finding(_ option: KafkaOption) -> Diagnostic? {
    let settings = unsafe rd_kafka_conf_new()
    defer { unsafe rd_kafka_conf_destroy(settings) }
    let name = option.name.value
    guard let problem = unsafe KafkaSettings.problem(setting: name, to: option.value.revealed, in: settings) else {
        return nil
    }
    let isUnknown = problem.hasPrefix("No such configuration property")
    return Diagnostic(
        .error, code: isUnknown ? "unknown-option" : "bad-option",
        at: isUnknown ? option.name.position : option.valuePosition, length: isUnknown ? option.name.length : 1,
        isUnknown ? "librdkafka has no option `\(name)`" : "option `\(name)`: \(problem)",
        fix: isUnknown ? "its options are listed in librdkafka's CONFIGURATION.md" : nil)
}

/// A file that is not there or cannot be read.
private func fileFinding(_ option: KafkaOption, _ fileSystem: any FileSystem) -> Diagnostic? {
    guard option.isFile else { return nil }
    // Authorities may be a folder of certificates.
    let mayBeFolder = option.name.value == "ssl.ca.location"
    return fileTrouble(option.value.revealed, mayBeFolder: mayBeFolder, fileSystem)
        .map { mistake(option, $0.sentence, fix: $0.remedy) }
}

private func mistake(_ option: KafkaOption, _ problem: String, fix: String?) -> Diagnostic {
    Diagnostic(
        .error, code: "bad-option", at: option.valuePosition, length: 1, "option `\(option.name.value)`: \(problem)",
        fix: fix)
}

/// `OAUTHBEARER` without a way to come by a token waits for one for ever.
private func tokenFinding(_ options: [KafkaOption]) -> Diagnostic? {
    guard let mechanism = options.last(named: ["sasl.mechanism", "sasl.mechanisms"]),
        mechanism.value.revealed.uppercased() == "OAUTHBEARER",
        options.last(named: ["sasl.oauthbearer.method"])?.value.revealed.lowercased() != "oidc",
        options.last(named: ["enable.sasl.oauthbearer.unsecure.jwt"])?.value.revealed.lowercased() != "true"
    else { return nil }
    return mistake(
        mechanism, "`OAUTHBEARER` has no method by which to come by a token",
        fix:
            "set `sasl.oauthbearer.method: oidc` with `sasl.oauthbearer.client.id`, `sasl.oauthbearer.client.secret` "
            + "and `sasl.oauthbearer.token.endpoint.url`")
}

/// What librdkafka says when it makes a client of the options, which reads certificates and keys. It is told no
/// brokers, so it connects to nothing.
private func clientFinding(_ options: [KafkaOption]) -> Diagnostic? {
    guard let protocolOption = options.last(named: ["security.protocol"]) else { return nil }
    let mechanism = options.last(named: ["sasl.mechanism", "sasl.mechanisms"])?.value.revealed.uppercased()
    switch protocolOption.value.revealed.lowercased() {
    case "ssl": break
    // Others ask somebody else for a ticket or a token as soon as there is a client.
    case "sasl_plaintext", "sasl_ssl": if !isPassword(mechanism) { return nil }
    default: return nil
    }
    do throws(KafkaFailure) {
        _ = try KafkaHandle(
            RD_KAFKA_CONSUMER, settings: try KafkaSettings(defaults: [], options: options, fixed: []), log: .none)
        return nil
    } catch {
        let named = options.last { $0.isFile && error.message.contains($0.name.value) }
        return mistake(named ?? protocolOption, error.message, fix: nil)
    }
}

private func isPassword(_ mechanism: String?) -> Bool {
    mechanism == "PLAIN" || mechanism?.hasPrefix("SCRAM-") == true
}

extension [KafkaOption] {
    /// The one that counts of options that mean the same.
    fileprivate func last(named names: [String]) -> KafkaOption? { last { names.contains($0.name.value) } }
}
