// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title FastLZ
/// @notice Length of data under FastLZ compression of level 1, which stands for the share of
///         a transaction in a compressed batch. Nothing is compressed.
/// @dev OP Stack specification, "Fjord", section "FastLZ implementation": the length is part
///      of consensus, quirks included. Table entries are 4 bytes, 8,192 of them.
library FastLZ {
    /// @dev Bytes at the end of the data where no match begins.
    uint256 private constant TAIL = 13;
    /// @dev Farthest match, in bytes.
    uint256 private constant WINDOW = 8191;
    /// @dev Longest match of one instruction, in bytes beyond the first two.
    uint256 private constant LONGEST = 262;

    /// @notice Length of `data` if it were compressed, in bytes.
    function compressedLength(bytes memory data) internal pure returns (uint256 total) {
        unchecked {
            if (data.length < TAIL) return _literals(data.length);
            uint256 limit = data.length - TAIL;
            bytes memory table = new bytes(4 * 8192);
            uint256 start; // of the bytes that no instruction covers yet
            uint256 here = 2;
            // A match at the last place before the limit is not taken.
            while (here + 1 < limit) {
                uint256 three = _three(data, here);
                uint256 seen = _swap(table, three, here);
                if (here - seen > WINDOW || three != _three(data, seen)) {
                    ++here;
                    continue;
                }
                if (here > start) total += _literals(here - start);
                uint256 length = _match(data, seen + 3, here + 3, limit + 9);
                total += _copies(length);
                here += length;
                _swap(table, _three(data, here), here);
                _swap(table, _three(data, here + 1), here + 1);
                here += 2;
                start = here;
            }
            return total + _literals(data.length - start);
        }
    }

    /// @dev Length of instructions that hold `count` bytes as they are: 32 in each at most.
    function _literals(uint256 count) private pure returns (uint256) {
        unchecked {
            uint256 rest = count % 32;
            return count / 32 * 33 + (rest == 0 ? 0 : rest + 1);
        }
    }

    /// @dev Length of instructions that copy a match of `length` + 2 bytes.
    function _copies(uint256 length) private pure returns (uint256) {
        unchecked {
            uint256 beyond = length - 1;
            return beyond / LONGEST * 3 + (beyond % LONGEST >= 6 ? 3 : 2);
        }
    }

    /// @dev Number of bytes up to and with the first that differs, before `end`.
    function _match(bytes memory data, uint256 p, uint256 q, uint256 end) private pure returns (uint256 length) {
        unchecked {
            uint256 most = end - q;
            while (length < most) {
                if (data[p + length] != data[q + length]) return length + 1;
                ++length;
            }
        }
    }

    /// @dev Three bytes of the data. Assembly: a third of the gas of three checked reads.
    function _three(bytes memory data, uint256 here) private pure returns (uint256 three) {
        assembly ("memory-safe") {
            three := shr(232, mload(add(add(data, 0x20), here)))
        }
    }

    /// @dev Notes where three bytes are and returns where they were last, zero if nowhere.
    ///      Assembly: Solidity has no memory arrays of 4-byte entries.
    function _swap(bytes memory table, uint256 three, uint256 here) private pure returns (uint256 seen) {
        assembly ("memory-safe") {
            // The specification reads the bytes as little-endian.
            let little := or(or(shr(16, three), and(three, 0xff00)), shl(16, and(three, 0xff)))
            let hash := and(shr(19, mul(2654435769, little)), 0x1fff)
            let entry := add(add(table, 0x20), mul(4, hash))
            let word := mload(entry)
            seen := shr(224, word)
            mstore(entry, or(shl(224, here), and(word, sub(shl(224, 1), 1))))
        }
    }
}
