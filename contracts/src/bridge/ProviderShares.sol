// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {Dilution} from "../libraries/Dilution.sol";

/// @title ProviderShares
/// @notice Money of many providers that is paid ahead and comes back later, or does not. Who
///         comes buys a share of everything, what is paid ahead at its full value. Who leaves
///         takes the share in kind: of the cash at once, and of each advance that is open
///         then when it comes back. So nobody escapes a loss by leaving first, nobody earns
///         from an advance that was not at risk with his money or paid for, and nothing has
///         to be valued by anybody.
/// @dev Shares are not transferable. An advance is divided between those who left while it
///      was open, in slices, and those who are there when it comes back (`Dilution`).
abstract contract ProviderShares is ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @notice Other than the amount arrived, in wei.
    error WrongAmount(uint256 arrived, uint256 amount);
    /// @notice Shares are locked until `until`, in seconds since 1970.
    error Locked(uint64 until);
    /// @notice The provider has fewer shares.
    error NotEnoughShares(uint256 asked, uint256 held);
    /// @notice Nothing is asked or given.
    error Nothing();
    /// @notice Advances are overdue: until they are repaid nobody comes in.
    error AdvancesOverdue(uint256 count);
    /// @notice The slice has no part in the advance, the advance is not repaid, or the part
    ///         is paid.
    error NothingToCollect(uint256 sliceId, bytes32 advance);
    /// @notice The receiver did not take the ether.
    error PaymentRefused(address receiver, uint256 amount);

    /// @notice A provider paid in, in wei.
    event Deposited(address indexed provider, uint256 amount, uint256 shares);
    /// @notice A provider left with some shares: `amount` wei at once, and a slice of every
    ///         open advance if there is any.
    event Withdrawn(address indexed provider, uint256 amount, uint256 shares);
    /// @notice A slice of the open advances went to a provider who left.
    event Sliced(uint256 indexed sliceId, address indexed provider);
    /// @notice A slice's part of a repaid advance was paid, in wei.
    event Collected(uint256 indexed sliceId, bytes32 indexed advance, uint256 amount);

    /// @notice Money paid ahead.
    /// @param payout   Wei paid; zero if none.
    /// @param value    Wei that come back.
    /// @param paidAt   When it was paid, in seconds since 1970.
    /// @param index    Number of advances before it.
    /// @param slicesAt Number of slices when it was repaid.
    /// @param open     Whether it is not repaid.
    /// @param overdue  Whether it was found overdue.
    /// @param left     Dilution when it was paid.
    struct Advance {
        uint128 payout;
        uint128 value;
        uint64 paidAt;
        uint64 index;
        uint64 slicesAt;
        bool open;
        bool overdue;
        Dilution.Left left;
    }

    /// @notice Part of a provider who left in the advances that were open then.
    /// @param owner    The provider.
    /// @param advances Number of advances when it left.
    /// @param before   Dilution before it left.
    /// @param later    Dilution after.
    struct Slice {
        address owner;
        uint64 advances;
        Dilution.Left before;
        Dilution.Left later;
    }

    /// @dev Shares that nobody holds, against one wei that nobody gave: a first provider
    ///      cannot make the price of a share so high that the next one's rounds to nothing.
    uint256 internal constant VIRTUAL_SHARES = 1000;

    IERC20 internal immutable TOKEN;
    uint64 internal immutable LOCK;

    /// @notice Wei in the pool that shares own.
    /// @dev Slot 0.
    uint256 public cash;
    /// @notice Wei of open advances, at what comes back, that shares own.
    /// @dev Slot 1.
    uint256 public outstanding;
    /// @notice Wei in the pool that slices own.
    /// @dev Slot 2.
    uint256 public reserved;
    /// @notice All shares.
    /// @dev Slot 3.
    uint256 public totalShares;
    /// @notice Shares of a provider.
    /// @dev Slot 4.
    mapping(address provider => uint256) public shares;
    /// @notice Until when a provider's shares stay, in seconds since 1970.
    /// @dev Slot 5.
    mapping(address provider => uint64) public lockedUntil;
    /// @notice Advances by what they are for.
    /// @dev Slot 6.
    mapping(bytes32 key => Advance) public advances;
    /// @notice Slices by id, which count from 0.
    /// @dev Slot 7.
    mapping(uint256 id => Slice) public slices;
    /// @notice Whether a slice's part of an advance was paid.
    /// @dev Slot 8.
    mapping(uint256 sliceId => mapping(bytes32 advance => bool)) public collected;
    /// @dev Slot 9: what the shares of all times have kept of open advances.
    Dilution.Left internal left;
    /// @notice Number of advances, of those not repaid, of those found overdue, and of slices.
    /// @dev Slot 10.
    uint64 public advanceCount;
    uint64 public openCount;
    uint64 public overdueCount;
    uint64 public sliceCount;

    constructor(IERC20 token, uint64 lock) {
        TOKEN = token;
        LOCK = lock;
    }

    /// @notice Pays into the pool; the value sent must be `amount` where the currency is
    ///         ether. What was paid in before is locked anew, too.
    /// @param amount In wei.
    /// @return minted Shares, rounded down.
    function deposit(uint256 amount) external payable nonReentrant returns (uint256 minted) {
        if (overdueCount != 0) revert AdvancesOverdue(overdueCount);
        minted = Math.mulDiv(amount, totalShares + VIRTUAL_SHARES, totalAssets() + 1);
        if (minted == 0) revert Nothing();
        _takeIn(amount);
        cash += amount;
        totalShares += minted;
        shares[msg.sender] += minted;
        lockedUntil[msg.sender] = uint64(block.timestamp) + LOCK;
        emit Deposited(msg.sender, amount, minted);
    }

    /// @notice Takes shares out of the pool: their part of its cash at once, and a slice of
    ///         what is lent out, of which `collect` pays each part once it has come back.
    /// @param burned Shares.
    /// @return amount In wei, rounded down.
    function withdraw(uint256 burned) external nonReentrant returns (uint256 amount) {
        if (block.timestamp < lockedUntil[msg.sender]) revert Locked(lockedUntil[msg.sender]);
        if (burned > shares[msg.sender]) revert NotEnoughShares(burned, shares[msg.sender]);
        if (burned == 0) revert Nothing();
        uint256 total = totalShares + VIRTUAL_SHARES;
        amount = Math.mulDiv(cash, burned, total);
        shares[msg.sender] -= burned;
        totalShares -= burned;
        cash -= amount;
        if (openCount != 0) _slice(total - burned, total);
        emit Withdrawn(msg.sender, amount, burned);
        _pay(msg.sender, amount);
    }

    /// @notice Pays a slice's part of a repaid advance to the slice's owner. Anybody may call.
    /// @return amount In wei, rounded down.
    function collect(uint256 sliceId, bytes32 advance) external nonReentrant returns (uint256 amount) {
        Slice memory s = slices[sliceId];
        Advance memory a = advances[advance];
        // Open when the provider left: paid before, and repaid after.
        bool part = a.paidAt != 0 && !a.open && a.index < s.advances && sliceId < a.slicesAt;
        if (!part || collected[sliceId][advance]) revert NothingToCollect(sliceId, advance);
        collected[sliceId][advance] = true;
        amount = Math.mulDiv(a.value, Dilution.ratio(s.before, a.left) - Dilution.ratio(s.later, a.left), Dilution.ONE);
        reserved -= amount;
        emit Collected(sliceId, advance, amount);
        _pay(s.owner, amount);
    }

    /// @notice Wei that the shares are worth together if every advance comes back.
    function totalAssets() public view returns (uint256) {
        return cash + outstanding;
    }

    /// @notice Wei that shares are worth if every advance comes back, rounded down.
    function assetsRoundedDown(uint256 shares_) public view returns (uint256) {
        return Math.mulDiv(shares_, totalAssets(), totalShares + VIRTUAL_SHARES);
    }

    /// @dev Books an advance of `payout` out of the cash, of which `value` comes back.
    function _advance(bytes32 key, uint256 payout, uint256 value) internal {
        cash -= payout;
        outstanding += value;
        // The payout is less than cash, which is money that exists; the value is at most twice
        // as much.
        // forge-lint: disable-next-line(unsafe-typecast)
        (uint128 paid, uint128 due) = (uint128(payout), uint128(value));
        advances[key] = Advance(paid, due, uint64(block.timestamp), advanceCount++, 0, true, false, left);
        openCount++;
    }

    /// @dev Divides what has come back of an advance.
    function _repay(bytes32 key) internal {
        Advance storage a = advances[key];
        uint256 value = a.value;
        uint256 ours = Math.mulDiv(value, Dilution.ratio(left, a.left), Dilution.ONE);
        cash += ours;
        reserved += value - ours;
        a.open = false;
        a.slicesAt = sliceCount;
        if (a.overdue) overdueCount--;
        // Rounding leaves a few wei, which go with the last one.
        outstanding = --openCount == 0 || ours > outstanding ? 0 : outstanding - ours;
    }

    /// @dev Gives the caller the part of the open advances that does not stay: all but `rest`
    ///      of `total`.
    function _slice(uint256 rest, uint256 total) internal {
        Dilution.Left memory before = left;
        left = Dilution.keep(before, rest, total);
        outstanding = Math.mulDiv(outstanding, rest, total);
        slices[sliceCount] = Slice(msg.sender, advanceCount, before, left);
        emit Sliced(sliceCount++, msg.sender);
    }

    function _isToken() internal view returns (bool) {
        return address(TOKEN) != address(0);
    }

    function _takeIn(uint256 amount) internal {
        if (!_isToken()) {
            if (msg.value != amount) revert WrongAmount(msg.value, amount);
            return;
        }
        if (msg.value != 0) revert WrongAmount(msg.value, 0);
        uint256 before = TOKEN.balanceOf(address(this));
        TOKEN.safeTransferFrom(msg.sender, address(this), amount);
        uint256 arrived = TOKEN.balanceOf(address(this)) - before;
        if (arrived != amount) revert WrongAmount(arrived, amount);
    }

    function _pay(address to, uint256 amount) internal {
        if (amount == 0) return;
        if (_isToken()) {
            TOKEN.safeTransfer(to, amount);
            return;
        }
        (bool paid,) = to.call{value: amount}("");
        if (!paid) revert PaymentRefused(to, amount);
    }
}
