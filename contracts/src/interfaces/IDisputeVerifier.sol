// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IDisputeVerifier
/// @notice Decides challenged claims by proof. Until a registry names one, challenged
///         claims stay undecided.
interface IDisputeVerifier {
    /// @notice What is known of a claim.
    enum Verdict {
        UNDECIDED,
        VALID,
        INVALID
    }

    /// @notice The verdict about a game's root claim; once decided it never changes.
    function verdict(address game) external view returns (Verdict);
}
