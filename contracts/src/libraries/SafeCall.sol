// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";

/// @title SafeCall
/// @notice Calls to targets that somebody else chose: what they return is never copied,
///         so that it cannot use up the caller's gas, and they get the gas promised to
///         them or the call is not made.
library SafeCall {
    /// @notice There is too little gas for the promised call.
    /// @param available Gas left.
    /// @param needed    Gas that has to be left at this point.
    error NotEnoughGas(uint256 available, uint256 needed);

    /// @dev Gas for the most expensive call: cold account, value, new account (9,000 +
    ///      2,600 + 25,000), and the code between the check and the call.
    uint256 internal constant CALL_GAS = 40_000;

    /// @notice Whether a call made now passes on at least `minGas`, and the caller then
    ///         still has `reservedGas`. A call passes on at most 63/64 (EIP-150).
    function hasMinGas(uint256 minGas, uint256 reservedGas) internal view returns (bool) {
        return gasleft() >= gasNeeded(minGas, reservedGas);
    }

    /// @notice Gas that has to be left so that `hasMinGas` is true. `minGas` beyond 2^128
    ///         counts as 2^128, which no transaction has.
    function gasNeeded(uint256 minGas, uint256 reservedGas) internal pure returns (uint256) {
        if (minGas > type(uint128).max) minGas = type(uint128).max;
        return (minGas * 64) / 63 + CALL_GAS + reservedGas;
    }

    /// @notice Calls with all gas, which is at least `minGas`, or reverts with `NotEnoughGas`.
    /// @return success Whether the target did not revert.
    function callWithMinGas(address target, uint256 minGas, uint256 value, bytes memory data)
        internal
        returns (bool success)
    {
        uint256 needed = gasNeeded(minGas, 0);
        if (gasleft() < needed) revert NotEnoughGas(gasleft(), needed);
        return call(target, value, data);
    }

    /// @notice Calls with at most `gasLimit` gas, so that the caller keeps the rest whatever
    ///         the target does, and ignores what is returned.
    /// @return success Whether the target did not revert.
    function callWithGas(address target, uint256 gasLimit, uint256 value, bytes memory data)
        internal
        returns (bool success)
    {
        // Solidity copies what is returned even if nobody reads it; only assembly does not.
        assembly ("memory-safe") {
            success := call(gasLimit, target, value, add(data, 0x20), mload(data), 0, 0)
        }
    }

    /// @notice Calls with all gas and ignores what is returned.
    /// @return success Whether the target did not revert.
    function call(address target, uint256 value, bytes memory data) internal returns (bool success) {
        return LowLevelCall.callNoReturn(target, value, data);
    }
}
