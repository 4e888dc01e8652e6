import Foundation

/// SHA-256 (FIPS 180-4, section 6.2), because Foundation alone has no digests.
struct SHA256 {
    private static let constants: [UInt32] = [
        0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
        0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
        0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
        0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
        0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
        0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
        0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
        0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
    ]
    static let blockBytes = 64

    private var state: [UInt32] = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ]
    /// Less than a block.
    private var pending = Data()
    private var length: UInt64 = 0

    mutating func update(_ data: Data) {
        length += UInt64(data.count)
        let bytes = pending + data
        let whole = bytes.count - bytes.count % SHA256.blockBytes
        pending = Data(bytes.suffix(from: bytes.startIndex + whole))
        bytes.withUnsafeBytes { buffer in
            for start in stride(from: 0, to: whole, by: SHA256.blockBytes) {
                compress(UnsafeRawBufferPointer(rebasing: buffer[start..<start + SHA256.blockBytes]))
            }
        }
    }

    mutating func finalize() -> Data {
        let bits = length * 8
        let zeros = (119 - Int(length % 64)) % 64
        update(Data([0x80]) + Data(count: zeros) + SHA256.bigEndian(bits))
        return state.map(SHA256.bigEndian).reduce(Data(), +)
    }

    /// Loops and rotations are written out, and memory is raw, because a build for debugging calls a function for
    /// everything else: it would take five times as long.
    private mutating func compress(_ block: UnsafeRawBufferPointer) {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { buffer in
            guard let schedule = buffer.baseAddress else { return }
            var t = 0
            while t < 16 {
                schedule[t] = UInt32(bigEndian: block.loadUnaligned(fromByteOffset: 4 &* t, as: UInt32.self))
                t &+= 1
            }
            while t < 64 {
                let old = schedule[t &- 15], new = schedule[t &- 2]
                let sigma0 = (old &>> 7 | old &<< 25) ^ (old &>> 18 | old &<< 14) ^ (old &>> 3)
                let sigma1 = (new &>> 17 | new &<< 15) ^ (new &>> 19 | new &<< 13) ^ (new &>> 10)
                schedule[t] = schedule[t &- 16] &+ sigma0 &+ schedule[t &- 7] &+ sigma1
                t &+= 1
            }
            SHA256.constants.withUnsafeBufferPointer { constants in
                if let constants = constants.baseAddress { add(schedule, constants) }
            }
        }
    }

    private mutating func add(_ schedule: UnsafeMutablePointer<UInt32>, _ constants: UnsafePointer<UInt32>) {
        var (a, b, c, d) = (state[0], state[1], state[2], state[3])
        var (e, f, g, h) = (state[4], state[5], state[6], state[7])
        var t = 0
        while t < 64 {
            let sum1 = (e &>> 6 | e &<< 26) ^ (e &>> 11 | e &<< 21) ^ (e &>> 25 | e &<< 7)
            let one = h &+ sum1 &+ ((e & f) ^ (~e & g)) &+ constants[t] &+ schedule[t]
            let sum0 = (a &>> 2 | a &<< 30) ^ (a &>> 13 | a &<< 19) ^ (a &>> 22 | a &<< 10)
            let two = sum0 &+ ((a & b) ^ (a & c) ^ (b & c))
            h = g; g = f; f = e; e = d &+ one; d = c; c = b; b = a; a = one &+ two
            t &+= 1
        }
        for (index, value) in [a, b, c, d, e, f, g, h].enumerated() {
            state[index] = state[index] &+ value
        }
    }

    private static func bigEndian(_ value: some FixedWidthInteger) -> Data {
        withUnsafeBytes(of: value.bigEndian) { Data($0) }
    }
}

/// HMAC with SHA-256 (RFC 2104).
func authenticationCode(_ message: Data, key: Data) -> Data {
    func digest(_ data: Data) -> Data {
        var digest = SHA256()
        digest.update(data)
        return digest.finalize()
    }
    var padded = key.count > SHA256.blockBytes ? digest(key) : key
    padded.append(Data(count: SHA256.blockBytes - padded.count))
    let inner = digest(Data(padded.map { $0 ^ 0x36 }) + message)
    return digest(Data(padded.map { $0 ^ 0x5c }) + inner)
}
