// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";

/// @title Pause
/// @notice Lets a guardian stop exits from L2 for a bounded time. A pause ends by itself.
///         In every `PERIOD` the guardian has `DURATION` seconds of pause, so that exits
///         are open for the rest of it whatever the guardian does; pauses at the end of
///         one period and at the start of the next may join, to twice `DURATION`.
/// @dev Deposits, claims, challenges and proofs of withdrawals never pause.
contract Pause is OwnableUpgradeable {
    /// @notice The caller is not the guardian.
    error NotGuardian(address caller);
    /// @notice No pause is left until `renewedAt`, in seconds since 1970.
    error BudgetSpent(uint64 renewedAt);
    /// @notice Exits are not paused.
    error NotPaused();
    /// @notice The period is not at least twice a positive duration.
    error BadDurations(uint64 duration, uint64 period);

    /// @notice Exits were paused.
    /// @param until When the pause ends, in seconds since 1970.
    event Paused(uint64 until);
    /// @notice A pause was lifted early.
    /// @param left Seconds of pause that the guardian keeps for this period.
    event Unpaused(uint64 left);
    /// @notice The guardian was set.
    event GuardianSet(address indexed guardian);

    /// @notice Pause that the guardian has in each period, in seconds.
    uint64 public immutable DURATION;
    /// @notice Length of a period in seconds; it begins with the first pause in it.
    uint64 public immutable PERIOD;

    /// @notice Who may pause; the zero address for nobody.
    /// @dev Slot 0, bits 0..159.
    address public guardian;
    /// @notice When the latest pause ends or ended, in seconds since 1970.
    /// @dev Slot 0, bits 160..223.
    uint64 public expiration;
    /// @notice When the guardian's budget is whole again, in seconds since 1970.
    /// @dev Slot 1, bits 0..63.
    uint64 public periodEnd;
    /// @dev Slot 1, bits 64..127: seconds of pause left in this period.
    uint64 internal budget;
    /// @dev Slot 1, bits 128..135: the latest pause was the first of its period.
    bool internal first;

    /// @param duration Seconds of pause per period.
    /// @param period   Seconds of a period, at least twice the duration.
    constructor(uint64 duration, uint64 period) {
        if (duration == 0 || period / 2 < duration) revert BadDurations(duration, period);
        DURATION = duration;
        PERIOD = period;
        _disableInitializers();
    }

    /// @param owner_    Who sets the guardian.
    /// @param guardian_ Who may pause.
    function initialize(address owner_, address guardian_) external initializer {
        __Ownable_init(owner_);
        _setGuardian(guardian_);
    }

    /// @notice Pauses exits for as long as the budget of this period lasts.
    function pause() external onlyGuardian {
        uint64 now_ = uint64(block.timestamp);
        first = now_ >= periodEnd;
        if (first) {
            periodEnd = now_ + PERIOD;
            budget = DURATION;
        }
        if (budget == 0) revert BudgetSpent(periodEnd);
        expiration = now_ + budget;
        budget = 0;
        emit Paused(expiration);
    }

    /// @notice Ends a pause early; what is left of it may be used later in this period.
    function unpause() external onlyGuardian {
        if (!paused()) revert NotPaused();
        uint64 now_ = uint64(block.timestamp);
        budget = expiration - now_;
        expiration = now_;
        emit Unpaused(budget);
    }

    /// @notice Replaces the guardian. A pause that runs goes on.
    function setGuardian(address guardian_) external onlyOwner {
        _setGuardian(guardian_);
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "1.0.0";
    }

    /// @notice Whether exits are paused now.
    function paused() public view returns (bool) {
        return block.timestamp < expiration;
    }

    /// @notice Whether any number of games may be voided now: in the first pause of a period and in no
    ///         other, so that claims made after it have the rest of the period to become valid.
    function voiding() public view returns (bool) {
        return first && paused();
    }

    modifier onlyGuardian() {
        _checkGuardian();
        _;
    }

    function _checkGuardian() internal view {
        if (msg.sender != guardian) revert NotGuardian(msg.sender);
    }

    function _setGuardian(address guardian_) internal {
        guardian = guardian_;
        emit GuardianSet(guardian_);
    }
}
