// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title AddressAlias
/// @notice The address under which a contract of L1 acts on L2. An L1 contract and an
///         L2 contract at one address may have different owners, so a deposit by a
///         contract arrives from a shifted address that no key or deployment can reach.
/// @dev OP Stack specification, "Deposits", section "Address aliasing".
library AddressAlias {
    uint160 internal constant OFFSET = uint160(0x1111000000000000000000000000000000001111);

    /// @notice The L2 address of an L1 contract: `l1Address + OFFSET` modulo 2^160.
    function toL2(address l1Address) internal pure returns (address) {
        unchecked {
            return address(uint160(l1Address) + OFFSET);
        }
    }

    /// @notice The L1 contract behind an aliased L2 address; the inverse of `toL2`.
    function toL1(address l2Address) internal pure returns (address) {
        unchecked {
            return address(uint160(l2Address) - OFFSET);
        }
    }
}
