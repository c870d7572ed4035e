// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FeeVault} from "./FeeVault.sol";

/// @title SequencerFeeVault
/// @notice Predeploy at 0x4200000000000000000000000000000000000011: holds priority fees, as
///         the coinbase of every block.
contract SequencerFeeVault is FeeVault {
    /// @notice Who gets the fees, by a former name.
    function l1FeeWallet() external view returns (address) {
        return recipient;
    }
}
