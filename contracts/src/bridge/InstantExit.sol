// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {BlockHeader} from "@openzeppelin/contracts/utils/BlockHeader.sol";
import {Memory} from "@openzeppelin/contracts/utils/Memory.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {ICheckpoints} from "../interfaces/ICheckpoints.sol";
import {Hashing} from "../libraries/Hashing.sol";
import {Types} from "../libraries/Types.sol";
import {WithdrawalProof} from "../libraries/WithdrawalProof.sol";
import {Portal} from "./Portal.sol";
import {ProviderShares} from "./ProviderShares.sol";

/// @title InstantExit
/// @notice Pays withdrawals of the native currency before they are final. A withdrawal that
///         wants this is sent on L2 to this contract with a call of `settle`. Once a block
///         with it is attested, anybody may have the pool pay its recipient, less a fee;
///         when the portal pays the withdrawal, that payment is the pool's. A withdrawal that
///         the pool has not paid goes to its recipient in full then.
/// @dev The fee follows from how much of the pool is lent out: providers set it by coming
///      and going. They bear the risk that an attested block is not the chain's: whose money
///      was in the pool when such a withdrawal was paid ahead, or who bought in later.
contract InstantExit is ProviderShares {
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
    /// @notice The portal pays the withdrawal in full now, by the proof of `submitter`.
    error PayableInFull(bytes32 withdrawalHash, address submitter);
    /// @notice The withdrawal is of less than `MIN_VALUE`.
    error ValueTooSmall(uint256 value);
    /// @notice No attested block has this header.
    error NotAttested(uint256 l2BlockNumber, bytes32 blockHash);
    /// @notice The withdrawal is not in the block.
    error NotInBlock(bytes32 withdrawalHash);
    /// @notice The fee leaves less than the withdrawal asks for, in wei.
    error PayoutTooSmall(uint256 payout, uint256 minPayout);
    /// @notice The pool has less than is asked of it, in wei.
    error NotEnoughCash(uint256 asked, uint256 cash);
    /// @notice The advance is not open, not old enough, or known to be overdue.
    error NotOverdue(bytes32 withdrawalHash);
    /// @notice The fees or times of the pool make no sense.
    error BadParams();

    /// @notice The pool paid a withdrawal ahead, in wei.
    event Advanced(bytes32 indexed withdrawalHash, address indexed recipient, uint256 value, uint256 payout);
    /// @notice The portal repaid an advance, in wei.
    event Repaid(bytes32 indexed withdrawalHash, uint256 value);
    /// @notice The portal's payment was passed on to its recipient, in wei.
    event PassedOn(address indexed recipient, uint256 value);
    /// @notice An advance has not been repaid for long; until it is, nobody comes in.
    event Overdue(bytes32 indexed withdrawalHash, uint256 value);

    /// @notice What a pool is built on.
    /// @param portal        Pays withdrawals.
    /// @param checkpoints   Knows attested blocks.
    /// @param token         Currency of L2 if it is an L1 token; zero if it is ether.
    /// @param minFee        Fee of an idle pool, in millionths of the value.
    /// @param maxFee        Fee of a pool lent out in full, in millionths, up to 500,000.
    /// @param lock          Seconds for which a deposit stays.
    /// @param overdueAfter  Seconds after which an advance is overdue; more than a withdrawal
    ///                      takes, pauses included.
    struct Params {
        Portal portal;
        ICheckpoints checkpoints;
        IERC20 token;
        uint64 minFee;
        uint64 maxFee;
        uint64 lock;
        uint64 overdueAfter;
    }

    /// @notice Largest gas limit of a withdrawal that is paid ahead.
    uint256 public constant MAX_GAS_LIMIT = 1_000_000;
    /// @notice Least value of a withdrawal that is paid ahead, in wei.
    uint256 public constant MIN_VALUE = 0.0001 ether;
    /// @notice Fees are in millionths.
    uint256 public constant FEE_UNIT = 1_000_000;

    Portal internal immutable PORTAL;
    ICheckpoints internal immutable CHECKPOINTS;
    uint64 internal immutable MIN_FEE;
    uint64 internal immutable MAX_FEE;
    uint64 internal immutable OVERDUE_AFTER;

    /// @dev Slot 11: withdrawals paid ahead and not repaid, by what makes them equal.
    mapping(bytes32 key => bytes32[] withdrawalHashes) internal unpaid;

    constructor(Params memory params) ProviderShares(params.token, params.lock) {
        if (params.minFee > params.maxFee || params.maxFee > FEE_UNIT / 2 || params.overdueAfter == 0) {
            revert BadParams();
        }
        PORTAL = params.portal;
        CHECKPOINTS = params.checkpoints;
        MIN_FEE = params.minFee;
        MAX_FEE = params.maxFee;
        OVERDUE_AFTER = params.overdueAfter;
    }

    /// @notice Has the pool pay a withdrawal ahead, to the recipient that its data name. Not any
    ///         more once its sender, its recipient or whoever proved it first can have the portal
    ///         pay it: then a fee would buy nothing.
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
        _checkNotPayable(hash, withdrawal.sender);
        _checkNotPayable(hash, recipient);
        if (PORTAL.numProofSubmitters(hash) != 0) _checkNotPayable(hash, PORTAL.proofSubmitters(hash, 0));
        if (!WithdrawalProof.verify(hash, _attestedRoot(header), proof)) revert NotInBlock(hash);

        payout = withdrawal.value - feeRoundedUp(withdrawal.value);
        if (payout < minPayout) revert PayoutTooSmall(payout, minPayout);
        if (payout > cash) revert NotEnoughCash(payout, cash);
        _advance(hash, payout, withdrawal.value);
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
        uint256 arrived = _isToken() ? TOKEN.balanceOf(address(this)) - cash - reserved : msg.value;
        if (_isToken() ? arrived < value : arrived != value) revert WrongAmount(arrived, value);
        bytes32[] storage list = unpaid[_key(PORTAL.l2Sender(), recipient, value, minPayout)];
        // Of equal withdrawals that were paid ahead, the one that the portal is paying.
        for (uint256 i = list.length; i > 0; i--) {
            bytes32 hash = list[i - 1];
            if (!PORTAL.finalizedWithdrawals(hash)) continue;
            list[i - 1] = list[list.length - 1];
            list.pop();
            _repay(hash);
            emit Repaid(hash, value);
            return;
        }
        emit PassedOn(recipient, value);
        _pay(recipient, value);
    }

    /// @notice Books an advance as overdue. Nobody loses or gains by it: who was there when it
    ///         was paid bears it. It keeps others from buying what may never come back.
    function markOverdue(bytes32 withdrawalHash) external nonReentrant {
        Advance storage a = advances[withdrawalHash];
        if (!a.open || a.overdue || block.timestamp < a.paidAt + OVERDUE_AFTER) revert NotOverdue(withdrawalHash);
        a.overdue = true;
        overdueCount++;
        emit Overdue(withdrawalHash, a.value);
    }

    /// @notice What the pool is built on.
    function parameters() external view returns (Params memory) {
        return Params(PORTAL, CHECKPOINTS, TOKEN, MIN_FEE, MAX_FEE, LOCK, OVERDUE_AFTER);
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "2.1.0";
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
        if (value != withdrawal.value) revert NotForInstantExit();
        if (value < MIN_VALUE) revert ValueTooSmall(value);
        if (withdrawal.gasLimit > MAX_GAS_LIMIT) revert GasLimitTooHigh(withdrawal.gasLimit);
    }

    /// @dev A bounded number of submitters is asked: more proofs by others do not hide these.
    function _checkNotPayable(bytes32 hash, address submitter) internal view {
        try PORTAL.checkWithdrawal(hash, submitter) {
            revert PayableInFull(hash, submitter);
        } catch {}
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
}
