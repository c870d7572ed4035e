// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDisputeGame} from "../interfaces/IDisputeGame.sol";
import {Pause} from "../rollup/Pause.sol";
import {AnchorStateRegistry} from "./AnchorStateRegistry.sol";

/// @title BondVault
/// @notice Holds the bonds of games, each game's apart from the others'. A game releases
///         them; they are paid out after a delay, in which a wrong decision can be noticed
///         and, if need be, a pause declared. It takes bonds of games that the factory made and
///         of challengers' stakes, and of nobody else: who looks for his releases reads them all.
contract BondVault {
    /// @notice The caller is neither a game that the factory made nor the contract of stakes.
    error NotAGame(address caller);
    /// @notice A release of nothing.
    error NothingToRelease();
    /// @notice The game releases more than it holds, in wei.
    error NotEnoughLocked(address game, uint256 amount, uint256 locked);
    /// @notice No such release, or it is paid.
    error NothingToPay(uint256 id);
    /// @notice It is paid from `readyAt` on, in seconds since 1970.
    error NotYet(uint256 id, uint64 readyAt);
    /// @notice Exits are paused until `until`, in seconds since 1970.
    error CallPaused(uint64 until);
    /// @notice The recipient did not take the payment.
    error PaymentRefused(uint256 id, address recipient);

    /// @notice A game locked a bond, in wei.
    event BondLocked(address indexed game, uint256 amount);
    /// @notice A game released a bond, in wei; it is paid from `readyAt` on.
    event BondReleased(
        uint256 indexed id, address indexed game, address indexed recipient, uint256 amount, uint64 readyAt
    );
    /// @notice A released bond was paid, in wei.
    event BondPaid(uint256 indexed id, address indexed recipient, uint256 amount);

    /// @notice A bond on its way out.
    /// @param recipient Who gets it; zero once it is paid.
    /// @param readyAt   From when on, in seconds since 1970.
    /// @param amount    Wei.
    struct Release {
        address recipient;
        uint64 readyAt;
        uint256 amount;
    }

    /// @notice Seconds between release and payment.
    uint64 public immutable DELAY;
    /// @notice Stops payments while exits are paused.
    Pause public immutable PAUSE;
    /// @notice Knows games.
    AnchorStateRegistry public immutable REGISTRY;
    /// @notice Pays challengers' stakes out through this contract.
    address public immutable STAKES;

    /// @notice Bonds that each game holds here, in wei.
    /// @dev Slot 0.
    mapping(address game => uint256) public locked;
    /// @notice Bonds on their way out, by id.
    /// @dev Slot 1.
    mapping(uint256 id => Release) public releases;
    /// @notice Number of releases so far; ids count from 0.
    /// @dev Slot 2.
    uint256 public releaseCount;

    /// @param delay    Seconds between release and payment.
    /// @param pause    Stops payments.
    /// @param registry Knows games.
    /// @param stakes   The contract of challengers' stakes.
    constructor(uint64 delay, Pause pause, AnchorStateRegistry registry, address stakes) {
        DELAY = delay;
        PAUSE = pause;
        REGISTRY = registry;
        STAKES = stakes;
    }

    /// @notice Locks the value sent as a bond of the caller, a game.
    function lock() external payable {
        if (msg.sender != STAKES && !REGISTRY.isGameRegistered(IDisputeGame(msg.sender))) revert NotAGame(msg.sender);
        locked[msg.sender] += msg.value;
        emit BondLocked(msg.sender, msg.value);
    }

    /// @notice Releases a bond of the caller, a game, to somebody. What a game never releases is
    ///         nobody's.
    /// @return id By which it is paid.
    function release(address recipient, uint256 amount) external returns (uint256 id) {
        if (amount == 0) revert NothingToRelease();
        uint256 held = locked[msg.sender];
        if (amount > held) revert NotEnoughLocked(msg.sender, amount, held);
        locked[msg.sender] = held - amount;
        id = releaseCount++;
        uint64 readyAt = uint64(block.timestamp) + DELAY;
        releases[id] = Release(recipient, readyAt, amount);
        emit BondReleased(id, msg.sender, recipient, amount, readyAt);
    }

    /// @notice Pays a released bond to its recipient. Anybody may call.
    function withdraw(uint256 id) external {
        if (PAUSE.paused()) revert CallPaused(PAUSE.expiration());
        Release memory r = releases[id];
        if (r.recipient == address(0)) revert NothingToPay(id);
        if (block.timestamp < r.readyAt) revert NotYet(id, r.readyAt);
        releases[id].recipient = address(0);
        (bool paid,) = r.recipient.call{value: r.amount}("");
        if (!paid) revert PaymentRefused(id, r.recipient);
        emit BondPaid(id, r.recipient, r.amount);
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "2.0.0";
    }
}
