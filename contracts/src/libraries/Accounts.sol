// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Accounts
/// @notice Tells who controls an address on both layers.
library Accounts {
    /// @notice Whether a key controls `account`, which is calling, on L2 as it does on L1.
    ///         The origin of a transaction has a key; so has an account with EIP-7702
    ///         delegation code (0xef0100 and an address), which EIP-3541 lets no contract
    ///         deploy.
    function isExternallyOwned(address account) internal view returns (bool) {
        if (account == tx.origin) return true;
        if (account.code.length != 23) return false;
        return bytes3(account.code) == 0xef0100;
    }
}
