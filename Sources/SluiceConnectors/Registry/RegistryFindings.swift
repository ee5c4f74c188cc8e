// What is wrong with the registries of a spec, each at its place, as far as it can be known without asking them.

package import SluiceSpec
package import SluiceSystem

/// Files of certificates that are not there or cannot be read.
package func registryFindings(_ spec: Spec, _ fileSystem: any FileSystem) -> [Diagnostic] {
    let registries = spec.inputs.map(\.format.registry) + spec.sinks.map(\.format.registry)
    let mask = spec.secretMask
    // A registry that stands in the defaults is everybody's.
    var known: Set<Diagnostic> = []
    return registries.compactMap { $0?.ca }.compactMap { ca in
        fileTrouble(ca.value, fileSystem).map { trouble in
            Diagnostic(
                .error, code: "bad-option", at: ca.position, length: ca.length,
                "`ca`: \(mask.hide(trouble.sentence))", fix: trouble.remedy)
        }
    }.filter { known.insert($0).inserted }
}
