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
        return account == tx.origin || _isDelegated(account);
    }

    /// @notice Whether a key controls `account`, which is calling on L2, on L1 as well. The
    ///         origin of a deposit may be the alias of a contract, which has no key; a
    ///         deposit pays no gas price, while all else on L2 pays the base fee at least.
    /// @dev Where the base fee is zero, deposits cannot be told from other transactions.
    function isOwnOnL1(address account) internal view returns (bool) {
        return (account == tx.origin && tx.gasprice >= block.basefee) || _isDelegated(account);
    }

    function _isDelegated(address account) private view returns (bool) {
        if (account.code.length != 23) return false;
        return bytes3(account.code) == 0xef0100;
    }
}
