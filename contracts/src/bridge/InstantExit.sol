// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {BlockHeader} from "@openzeppelin/contracts/utils/BlockHeader.sol";
import {Memory} from "@openzeppelin/contracts/utils/Memory.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {ICheckpoints} from "../interfaces/ICheckpoints.sol";
import {Hashing} from "../libraries/Hashing.sol";
import {Types} from "../libraries/Types.sol";
import {WithdrawalProof} from "../libraries/WithdrawalProof.sol";
import {Portal} from "./Portal.sol";

/// @title InstantExit
/// @notice Pays withdrawals of the native currency before they are final. A withdrawal that
///         wants this is sent on L2 to this contract with a call of `settle`. Once a block
///         with it is attested, anybody may have the pool pay its recipient, less a fee;
///         when the portal pays the withdrawal, that payment is the pool's. A withdrawal that
///         the pool has not paid goes to its recipient in full then.
/// @dev The fee follows from how much of the pool is lent out: providers set it by coming
///      and going. Providers bear the risk that an attested block is not the chain's. Shares
///      are not transferable. Payments of equal withdrawals (sender, recipient, value, least
///      payout) are interchangeable: each repays one advance to one of them, if there is any.
contract InstantExit is ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @notice Only the portal settles.
    error NotPortal(address caller);
    /// @notice Exits are paused; `Pause.expiration` says until when.
    error CallPaused();
    /// @notice The withdrawal is not to this contract, with a call of `settle` of its value.
    error NotForInstantExit();
    /// @notice The withdrawal's gas limit is above `MAX_GAS_LIMIT`: the portal could not pay it.
    error GasLimitTooHigh(uint256 gasLimit);
    /// @notice The withdrawal was advanced before, or the portal has paid it.
    error AlreadyPaid(bytes32 withdrawalHash);
    /// @notice No attested block has this header.
    error NotAttested(uint256 l2BlockNumber, bytes32 blockHash);
    /// @notice The withdrawal is not in the block.
    error NotInBlock(bytes32 withdrawalHash);
    /// @notice The fee leaves less than the withdrawal asks for, in wei.
    error PayoutTooSmall(uint256 payout, uint256 minPayout);
    /// @notice The pool has less than is asked of it, in wei.
    error NotEnoughCash(uint256 asked, uint256 cash);
    /// @notice Other than the amount arrived, in wei.
    error WrongAmount(uint256 arrived, uint256 amount);
    /// @notice Shares are locked until `until`, in seconds since 1970.
    error Locked(uint64 until);
    /// @notice The provider has fewer shares.
    error NotEnoughShares(uint256 asked, uint256 held);
    /// @notice Nothing is asked or given.
    error Nothing();
    /// @notice The advance is not open, or not old enough to be given up.
    error NotOverdue(bytes32 withdrawalHash);
    /// @notice The receiver did not take the ether.
    error PaymentRefused(address receiver, uint256 amount);
    /// @notice The fees or times of the pool make no sense.
    error BadParams();

    /// @notice A provider paid in, in wei.
    event Deposited(address indexed provider, uint256 amount, uint256 shares);
    /// @notice A provider took out, in wei.
    event Withdrawn(address indexed provider, uint256 amount, uint256 shares);
    /// @notice The pool paid a withdrawal ahead, in wei.
    event Advanced(bytes32 indexed withdrawalHash, address indexed recipient, uint256 value, uint256 payout);
    /// @notice The portal repaid an advance, in wei.
    event Repaid(bytes32 indexed withdrawalHash, uint256 value);
    /// @notice The portal's payment was passed on to its recipient, in wei.
    event PassedOn(address indexed recipient, uint256 value);
    /// @notice An advance that was not repaid for long was booked as lost, in wei.
    event WrittenOff(bytes32 indexed withdrawalHash, uint256 payout);

    /// @notice What a pool is built on.
    /// @param portal        Pays withdrawals.
    /// @param checkpoints   Knows attested blocks.
    /// @param token         Currency of L2 if it is an L1 token; zero if it is ether.
    /// @param minFee        Fee of an idle pool, in millionths of the value.
    /// @param maxFee        Fee of a pool lent out in full, in millionths, below 1,000,000.
    /// @param lock          Seconds for which a deposit stays.
    /// @param writeOffDelay Seconds after which an advance may be booked as lost; more than a
    ///                      withdrawal takes, pauses included.
    struct Params {
        Portal portal;
        ICheckpoints checkpoints;
        IERC20 token;
        uint64 minFee;
        uint64 maxFee;
        uint64 lock;
        uint64 writeOffDelay;
    }

    /// @notice Money paid ahead for one withdrawal.
    /// @param payout     Wei paid; zero if none.
    /// @param paidAt     When, in seconds since 1970.
    /// @param open       Whether it counts as an asset: neither repaid nor given up.
    struct Advance {
        uint128 payout;
        uint64 paidAt;
        bool open;
    }

    /// @notice Largest gas limit of a withdrawal that is paid ahead.
    uint256 public constant MAX_GAS_LIMIT = 1_000_000;
    /// @notice Fees are in millionths.
    uint256 public constant FEE_UNIT = 1_000_000;
    /// @dev Shares that nobody holds, against one wei that nobody gave: a first provider
    ///      cannot make the price of a share so high that the next one's rounds to nothing.
    uint256 internal constant VIRTUAL_SHARES = 1000;

    Portal internal immutable PORTAL;
    ICheckpoints internal immutable CHECKPOINTS;
    IERC20 internal immutable TOKEN;
    uint64 internal immutable MIN_FEE;
    uint64 internal immutable MAX_FEE;
    uint64 internal immutable LOCK;
    uint64 internal immutable WRITE_OFF_DELAY;

    /// @notice Wei in the pool.
    /// @dev Slot 0.
    uint256 public cash;
    /// @notice Wei paid ahead and neither repaid nor given up.
    /// @dev Slot 1.
    uint256 public outstanding;
    /// @notice All shares.
    /// @dev Slot 2.
    uint256 public totalShares;
    /// @notice Shares of a provider.
    /// @dev Slot 3.
    mapping(address provider => uint256) public shares;
    /// @notice Until when a provider's shares stay, in seconds since 1970.
    /// @dev Slot 4.
    mapping(address provider => uint64) public lockedUntil;
    /// @notice Advances by withdrawal.
    /// @dev Slot 5.
    mapping(bytes32 withdrawalHash => Advance) public advances;
    /// @dev Slot 6: withdrawals paid ahead and not repaid, by what makes them equal.
    mapping(bytes32 key => bytes32[] withdrawalHashes) internal unpaid;

    constructor(Params memory params) {
        if (params.minFee > params.maxFee || params.maxFee >= FEE_UNIT || params.writeOffDelay == 0) {
            revert BadParams();
        }
        PORTAL = params.portal;
        CHECKPOINTS = params.checkpoints;
        TOKEN = params.token;
        MIN_FEE = params.minFee;
        MAX_FEE = params.maxFee;
        LOCK = params.lock;
        WRITE_OFF_DELAY = params.writeOffDelay;
    }

    /// @notice Pays into the pool; the value sent must be `amount` where the currency is
    ///         ether. What was paid in before is locked anew, too.
    /// @param amount In wei.
    /// @return minted Shares, rounded down.
    function deposit(uint256 amount) external payable nonReentrant returns (uint256 minted) {
        minted = Math.mulDiv(amount, totalShares + VIRTUAL_SHARES, totalAssets() + 1);
        if (minted == 0) revert Nothing();
        _takeIn(amount);
        cash += amount;
        totalShares += minted;
        shares[msg.sender] += minted;
        lockedUntil[msg.sender] = uint64(block.timestamp) + LOCK;
        emit Deposited(msg.sender, amount, minted);
    }

    /// @notice Takes shares out of the pool. What is lent out cannot be taken: wait for it, or
    ///         take less.
    /// @param burned Shares.
    /// @return amount In wei, rounded down.
    function withdraw(uint256 burned) external nonReentrant returns (uint256 amount) {
        if (block.timestamp < lockedUntil[msg.sender]) revert Locked(lockedUntil[msg.sender]);
        if (burned > shares[msg.sender]) revert NotEnoughShares(burned, shares[msg.sender]);
        amount = assetsRoundedDown(burned);
        if (amount == 0) revert Nothing();
        if (amount > cash) revert NotEnoughCash(amount, cash);
        shares[msg.sender] -= burned;
        totalShares -= burned;
        cash -= amount;
        emit Withdrawn(msg.sender, amount, burned);
        _pay(msg.sender, amount);
    }

    /// @notice Has the pool pay a withdrawal ahead, to the recipient that its data name.
    /// @param withdrawal As the message passer recorded it.
    /// @param header     RLP of the header of an attested L2 block at or after it.
    /// @param proof      Trie nodes of the message passer's storage in that block.
    /// @return payout    Wei paid.
    function exit(Types.WithdrawalTransaction calldata withdrawal, bytes memory header, bytes[] calldata proof)
        external
        nonReentrant
        returns (uint256 payout)
    {
        if (PORTAL.paused()) revert CallPaused();
        (address recipient, uint256 minPayout) = _terms(withdrawal);
        bytes32 hash = Hashing.hashWithdrawal(withdrawal);
        if (advances[hash].paidAt != 0 || PORTAL.finalizedWithdrawals(hash)) revert AlreadyPaid(hash);
        if (!WithdrawalProof.verify(hash, _attestedRoot(header), proof)) revert NotInBlock(hash);

        payout = withdrawal.value - feeRoundedUp(withdrawal.value);
        if (payout < minPayout) revert PayoutTooSmall(payout, minPayout);
        if (payout > cash) revert NotEnoughCash(payout, cash);
        cash -= payout;
        outstanding += payout;
        // Less than cash, which is money that exists.
        // forge-lint: disable-next-line(unsafe-typecast)
        advances[hash] = Advance(uint128(payout), uint64(block.timestamp), true);
        unpaid[_key(withdrawal.sender, recipient, withdrawal.value, minPayout)].push(hash);
        emit Advanced(hash, recipient, withdrawal.value, payout);
        _pay(recipient, payout);
    }

    /// @notice What the portal calls with a withdrawal's payment: repays the pool if it paid
    ///         ahead, else goes to the recipient.
    /// @param recipient Whom the withdrawal is for.
    /// @param value     Its value in wei. What arrives beyond it, where the currency is a token,
    ///                  is nobody's.
    /// @param minPayout Least payout, in wei, that the recipient takes instead.
    function settle(address recipient, uint256 value, uint256 minPayout) external payable nonReentrant {
        if (msg.sender != address(PORTAL)) revert NotPortal(msg.sender);
        uint256 arrived = _isToken() ? TOKEN.balanceOf(address(this)) - cash : msg.value;
        if (_isToken() ? arrived < value : arrived != value) revert WrongAmount(arrived, value);
        bytes32[] storage list = unpaid[_key(PORTAL.l2Sender(), recipient, value, minPayout)];
        if (list.length == 0) {
            emit PassedOn(recipient, value);
            _pay(recipient, value);
            return;
        }
        bytes32 hash = list[list.length - 1];
        list.pop();
        cash += value;
        if (advances[hash].open) {
            advances[hash].open = false;
            outstanding -= advances[hash].payout;
        }
        emit Repaid(hash, value);
    }

    /// @notice Books an overdue advance as lost, so that all providers share the loss. If it
    ///         is repaid after all, they share that too.
    function writeOff(bytes32 withdrawalHash) external nonReentrant {
        Advance memory a = advances[withdrawalHash];
        if (!a.open || block.timestamp < a.paidAt + WRITE_OFF_DELAY) revert NotOverdue(withdrawalHash);
        advances[withdrawalHash].open = false;
        outstanding -= a.payout;
        emit WrittenOff(withdrawalHash, a.payout);
    }

    /// @notice What the pool is built on.
    function parameters() external view returns (Params memory) {
        return Params(PORTAL, CHECKPOINTS, TOKEN, MIN_FEE, MAX_FEE, LOCK, WRITE_OFF_DELAY);
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "1.0.0";
    }

    /// @notice Wei that the shares are worth together.
    function totalAssets() public view returns (uint256) {
        return cash + outstanding;
    }

    /// @notice Wei that shares are worth, rounded down.
    function assetsRoundedDown(uint256 shares_) public view returns (uint256) {
        return Math.mulDiv(shares_, totalAssets() + 1, totalShares + VIRTUAL_SHARES);
    }

    /// @notice Fee of a withdrawal paid ahead now, in wei, rounded up: the lowest rate when
    ///         the pool is idle, the highest when this withdrawal would take all of it.
    /// @param value Of the withdrawal, in wei.
    function feeRoundedUp(uint256 value) public view returns (uint256) {
        uint256 assets = totalAssets();
        uint256 lent = Math.min(outstanding + value, assets);
        uint256 rate =
            assets == 0 ? MAX_FEE : MIN_FEE + Math.mulDiv(MAX_FEE - MIN_FEE, lent, assets, Math.Rounding.Ceil);
        return Math.mulDiv(value, rate, FEE_UNIT, Math.Rounding.Ceil);
    }

    /// @dev What the withdrawal's call of `settle` says.
    function _terms(Types.WithdrawalTransaction calldata withdrawal)
        internal
        view
        returns (address recipient, uint256 minPayout)
    {
        bytes calldata data = withdrawal.data;
        // The selector is the first four bytes.
        // forge-lint: disable-next-line(unsafe-typecast)
        if (withdrawal.target != address(this) || data.length != 100 || bytes4(data) != this.settle.selector) {
            revert NotForInstantExit();
        }
        uint256 value;
        (recipient, value, minPayout) = abi.decode(data[4:], (address, uint256, uint256));
        if (value != withdrawal.value || value == 0) revert NotForInstantExit();
        if (withdrawal.gasLimit > MAX_GAS_LIMIT) revert GasLimitTooHigh(withdrawal.gasLimit);
    }

    /// @dev Storage root of the message passer, which the header of a block holds as its
    ///      withdrawals root, if the block is attested.
    function _attestedRoot(bytes memory header) internal view returns (bytes32) {
        Memory.Slice[] memory fields = BlockHeader.parseHeader(header);
        uint256 number = BlockHeader.getNumber(fields);
        bytes32 hash = keccak256(header);
        if (CHECKPOINTS.blockHash(number) != hash) revert NotAttested(number, hash);
        return BlockHeader.getWithdrawalsRoot(fields);
    }

    function _key(address sender, address recipient, uint256 value, uint256 minPayout) internal pure returns (bytes32) {
        return keccak256(abi.encode(sender, recipient, value, minPayout));
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
        if (_isToken()) {
            TOKEN.safeTransfer(to, amount);
            return;
        }
        (bool paid,) = to.call{value: amount}("");
        if (!paid) revert PaymentRefused(to, amount);
    }
}
