// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

interface Vm {
    function startBroadcast() external;
    function stopBroadcast() external;
}

/// @notice Spends gas.
contract Burner {
    uint256 public turns;

    /// @notice Spends 66 gas a turn.
    function burn(uint256 n) external {
        uint256 x = n;
        unchecked {
            for (uint256 i; i < n; ++i) {
                x = x * 0x5851f42d4c957f2d + i;
            }
        }
        require(x != 1, "never");
        turns += n;
    }

    /// @notice Spends all gas but about keep.
    function burnAllBut(uint256 keep) external {
        uint256 n;
        while (gasleft() > keep) {
            ++n;
        }
        turns += n;
    }
}

/// @notice A contract as large as the chain allows and a transaction as heavy as it
/// allows, in one broadcast.
contract Limits {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @return large A contract with size bytes of code, which answers any call with the
    /// size of its code.
    /// @return burner The contract whose burn(turns) was called.
    function run(uint256 size, uint256 turns) external returns (address large, Burner burner) {
        bytes memory code = initcode(size);
        vm.startBroadcast();
        assembly {
            large := create(0, add(code, 0x20), mload(code))
        }
        require(large.code.length == size, "not deployed");
        burner = new Burner();
        burner.burn(turns);
        vm.stopBroadcast();
        (bool ok, bytes memory answer) = large.call("");
        require(ok && abi.decode(answer, (uint256)) == size, "answer");
    }

    /// 12 bytes that return what follows: CODESIZE PUSH0 MSTORE PUSH1 32 PUSH0 RETURN, and
    /// words that do not compress, cut to size.
    function initcode(uint256 size) private pure returns (bytes memory code) {
        code = new bytes(12 + size + 32);
        uint256 head = (0x62 << 88) | (size << 64) | 0x80600c5f395ff3fe;
        uint256 answer = 0x385f5260205ff3fe;
        assembly {
            let start := add(code, 0x20)
            mstore(start, shl(160, head))
            start := add(start, 12)
            mstore(start, shl(192, answer))
            let end := add(start, size)
            let word := size
            for { let at := add(start, 8) } lt(at, end) { at := add(at, 0x20) } {
                mstore(0, word)
                word := keccak256(0, 0x20)
                mstore(at, word)
            }
            mstore(code, add(12, size))
        }
    }
}
