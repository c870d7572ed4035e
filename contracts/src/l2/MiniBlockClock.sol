// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title MiniBlockClock
/// @notice Predeploy at 0x4200000000000000000000000000000000000800: where in the sequence of
///         mini-blocks, and when, a transaction is executed. It has no owner and no proxy.
/// @dev The end of every mini-block writes slot 0; no call does.
contract MiniBlockClock {
    /// @dev Number of the mini-block that comes after the last one that was cut.
    uint64 private _next;
    /// @dev When that was cut, Unix time in microseconds.
    uint64 private _cut;

    /// @notice Number of the mini-block that is being executed. They count from 0 over the
    ///         life of the chain, without gaps.
    function number() external view returns (uint256) {
        return _next;
    }

    /// @notice Newest Unix time in microseconds that is known: of the end of the mini-block
    ///         before, or of the beginning of the block if that is later. It never falls, and is
    ///         not after the timestamp of the mini-block that is being executed.
    function timestampMicros() external view returns (uint256) {
        uint256 opened = block.timestamp * 1e6;
        return opened > _cut ? opened : _cut;
    }
}
