// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice How a game stands.
enum GameStatus {
    IN_PROGRESS,
    CHALLENGER_WINS,
    DEFENDER_WINS
}

/// @title IDisputeGame
/// @notice What the registry, the portal and clients ask of a game about one output root.
/// @dev OP Stack specification, "Dispute game interface".
interface IDisputeGame {
    /// @notice The game was resolved.
    event Resolved(GameStatus indexed status);

    /// @notice Sets the game up; called once by the factory with the creator's bond.
    function initialize() external payable;
    /// @notice Decides the game if it can be decided.
    function resolve() external returns (GameStatus);

    /// @notice When the game was created, in seconds since 1970.
    function createdAt() external view returns (uint64);
    /// @notice When it was resolved, in seconds since 1970; 0 before.
    function resolvedAt() external view returns (uint64);
    /// @notice How it stands.
    function status() external view returns (GameStatus);
    /// @notice Kind of game, by which the factory knows its implementation.
    function gameType() external view returns (uint32);
    /// @notice Who made the claim.
    function gameCreator() external view returns (address);
    /// @notice The claimed output root.
    function rootClaim() external view returns (bytes32);
    /// @notice Hash of the L1 block before the one that created the game.
    function l1Head() external view returns (bytes32);
    /// @notice Number of the L2 block that the claim is about.
    function l2SequenceNumber() external view returns (uint256);
    /// @notice The creator's extra data: the block number, ABI-encoded.
    function extraData() external view returns (bytes memory);
    /// @notice What identifies the game.
    function gameData() external view returns (uint32, bytes32, bytes memory);
    /// @notice Whether the portal respected this type of game when it was created.
    function wasRespectedGameTypeWhenCreated() external view returns (bool);
}
