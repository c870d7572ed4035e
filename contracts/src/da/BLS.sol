// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title BLS
/// @notice BLS12-381 signatures in G1 under keys in G2, by the precompiles of EIP-2537:
///         the minimal-signature-size variant with proofs of possession of
///         draft-irtf-cfrg-bls-signature-05, hashing by RFC 9380.
/// @dev Points are in the encoding of the precompiles, so that packing them is their
///      input: a coordinate takes two words, the high one with 16 bytes of zeros in front.
///      The pairing checks that its inputs are in the subgroups; addition checks only that
///      they are on the curve.
library BLS {
    /// @notice A precompile refused its input: a point is not on the curve, or, in the
    ///         pairing, not in the subgroup.
    error InvalidPoint();

    struct G1 {
        uint256[4] words;
    }

    struct G2 {
        uint256[8] words;
    }

    /// @notice Domain separation tag of signatures.
    bytes internal constant SIGNATURE_TAG = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";
    /// @notice Domain separation tag of proofs of possession.
    bytes internal constant POSSESSION_TAG = "BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";

    address private constant MODEXP = address(0x05);
    address private constant G1_ADD = address(0x0b);
    address private constant G2_ADD = address(0x0d);
    address private constant PAIRING_CHECK = address(0x0f);
    address private constant MAP_FP_TO_G1 = address(0x10);

    /// @dev Modulus of the base field, in 64 bytes.
    bytes private constant MODULUS =
        hex"000000000000000000000000000000001a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab";

    /// @notice Whether `signature` of `message` was made with `key`.
    /// @dev e(signature, -g2) * e(H(message), key) = 1.
    function verify(bytes32 message, bytes memory tag, G1 memory signature, G2 memory key)
        internal
        view
        returns (bool)
    {
        bytes memory out = _call(
            PAIRING_CHECK,
            abi.encodePacked(signature.words, _negatedGenerator().words, hashToG1(message, tag).words, key.words)
        );
        return abi.decode(out, (uint256)) == 1;
    }

    /// @notice Sum of two points.
    function add(G2 memory a, G2 memory b) internal view returns (G2 memory) {
        return G2(abi.decode(_call(G2_ADD, abi.encodePacked(a.words, b.words)), (uint256[8])));
    }

    /// @notice A point of G1 whose discrete logarithm nobody knows: hash_to_curve of
    ///         BLS12381G1_XMD:SHA-256_SSWU_RO_.
    function hashToG1(bytes32 message, bytes memory tag) internal view returns (G1 memory) {
        bytes memory dst = abi.encodePacked(tag, uint8(tag.length));
        // expand_message_xmd to 128 bytes: four hashes, chained.
        bytes32 b0 = sha256(abi.encodePacked(new bytes(64), message, uint16(128), uint8(0), dst));
        bytes32 b1 = sha256(abi.encodePacked(b0, uint8(1), dst));
        bytes32 b2 = sha256(abi.encodePacked(b0 ^ b1, uint8(2), dst));
        bytes32 b3 = sha256(abi.encodePacked(b0 ^ b2, uint8(3), dst));
        bytes32 b4 = sha256(abi.encodePacked(b0 ^ b3, uint8(4), dst));
        bytes memory sum = _call(G1_ADD, abi.encodePacked(_mapToG1(b1, b2), _mapToG1(b3, b4)));
        return G1(abi.decode(sum, (uint256[4])));
    }

    /// @notice A point of G1 from its coordinates, 48 bytes each.
    function g1(bytes calldata packed) internal pure returns (G1 memory point) {
        for (uint256 i = 0; i < 2; ++i) {
            bytes calldata coordinate = packed[i * 48:i * 48 + 48];
            point.words[2 * i] = uint128(bytes16(coordinate[:16]));
            point.words[2 * i + 1] = uint256(bytes32(coordinate[16:]));
        }
    }

    /// @notice A point of G2 from x.c0, x.c1, y.c0 and y.c1, 48 bytes each, that begin at
    ///         `offset` of `packed`.
    function g2(bytes memory packed, uint256 offset) internal pure returns (G2 memory point) {
        for (uint256 i = 0; i < 4; ++i) {
            point.words[2 * i] = word(packed, offset + i * 48) >> 128;
            point.words[2 * i + 1] = word(packed, offset + i * 48 + 16);
        }
    }

    /// @notice Whether the point is the one at infinity.
    function isInfinity(G2 memory point) internal pure returns (bool) {
        uint256 any;
        for (uint256 i = 0; i < 8; ++i) {
            any |= point.words[i];
        }
        return any == 0;
    }

    /// @notice The 32 bytes that begin at `offset` of `data`.
    /// @dev Assembly: the language cannot read memory at a byte's offset. The bound is
    ///      checked here.
    function word(bytes memory data, uint256 offset) internal pure returns (uint256 value) {
        if (offset + 32 > data.length) revert InvalidPoint();
        assembly ("memory-safe") {
            value := mload(add(add(data, 32), offset))
        }
    }

    /// @dev Reduces 64 bytes into the field and maps the element to the subgroup.
    function _mapToG1(bytes32 high, bytes32 low) private view returns (bytes memory) {
        bytes memory element =
            _call(MODEXP, abi.encodePacked(uint256(64), uint256(1), uint256(64), high, low, uint8(1), MODULUS));
        return _call(MAP_FP_TO_G1, element);
    }

    function _call(address precompile, bytes memory input) private view returns (bytes memory) {
        (bool ok, bytes memory out) = precompile.staticcall(input);
        // A chain without the precompile answers with nothing, and success.
        if (!ok || out.length == 0) revert InvalidPoint();
        return out;
    }

    /// @dev The generator of G2, negated.
    function _negatedGenerator() private pure returns (G2 memory) {
        return G2(
            [
                uint256(0x024aa2b2f08f0a91260805272dc51051),
                0xc6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8,
                0x13e02b6052719f607dacd3a088274f65,
                0x596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e,
                0x0d1b3cc2c7027888be51d9ef691d77bc,
                0xb679afda66c73f17f9ee3837a55024f78c71363275a75d75d86bab79f74782aa,
                0x13fa4d4a0ad8b1ce186ed5061789213d,
                0x993923066dddaf1040bc3ff59f825c78df74f2d75467e25e0f55f8a00fa030ed
            ]
        );
    }
}
