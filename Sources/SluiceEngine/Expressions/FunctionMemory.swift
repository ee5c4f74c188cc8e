// Memory that some functions need to run, one for each worker: what a match writes its groups to, a digest in the
// making, a reader of JSON. It is made when the first of these functions runs.

internal import CCrypto
internal import CPCRE2

@safe final class FunctionMemory {
    /// Sets limits for matches, and where compiled expressions have their stack.
    let matchContext: OpaquePointer
    private(set) var matchData: OpaquePointer
    private var groupCapacity: UInt32 = 16
    private let stack: OpaquePointer?
    let digestContext: OpaquePointer
    private var algorithms: [Int64: OpaquePointer] = unsafe [:]
    var reader = JSONTokenReader()
    var buffer = ByteBuffer()

    init() {
        guard let matchContext = unsafe pcre2_match_context_create_8(nil),
            let matchData = unsafe pcre2_match_data_create_8(16, nil), let digest = unsafe EVP_MD_CTX_new()
        else { fatalError("out of memory: a regular expression") }
        reader.readsNumberWords = false
        unsafe self.matchContext = unsafe matchContext
        unsafe self.matchData = unsafe matchData
        unsafe digestContext = unsafe digest
        // Without one, compiled expressions use 32 KiB of the thread's stack.
        unsafe stack = unsafe pcre2_jit_stack_create_8(32 << 10, 1 << 20, nil)
        unsafe pcre2_jit_stack_assign_8(matchContext, nil, UnsafeMutableRawPointer(stack))
        unsafe pcre2_set_heap_limit_8(matchContext, 20 << 10)
    }

    deinit {
        unsafe pcre2_match_data_free_8(matchData)
        unsafe pcre2_jit_stack_free_8(stack)
        unsafe pcre2_match_context_free_8(matchContext)
        unsafe EVP_MD_CTX_free(digestContext)
        let fetched = unsafe Array(algorithms.values)
        for index in unsafe fetched.indices { unsafe EVP_MD_free(fetched[index]) }
    }

    /// Makes room for the places of a whole match and `groupCount` groups.
    func reserve(groupCount: UInt32) {
        guard groupCount + 1 > groupCapacity else { return }
        guard let data = unsafe pcre2_match_data_create_8(groupCount + 1, nil) else {
            fatalError("out of memory: a regular expression")
        }
        unsafe pcre2_match_data_free_8(matchData)
        unsafe matchData = unsafe data
        groupCapacity = groupCount + 1
    }

    /// MD5 for 0, else SHA-2 of so many bits; nil where there is none. Looked up once: OpenSSL searches long.
    func algorithm(bits: Int64) -> OpaquePointer? {
        if let known = unsafe algorithms[bits] { return unsafe known }
        let name: String
        switch bits {
        case 0: name = "MD5"
        case 224, 256, 384, 512: name = "SHA\(bits)"
        default: return nil
        }
        guard let algorithm = unsafe EVP_MD_fetch(nil, name, nil) else { return nil }
        unsafe algorithms[bits] = unsafe algorithm
        return unsafe algorithm
    }
}
