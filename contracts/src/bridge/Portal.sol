// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AnchorStateRegistry} from "../dispute/AnchorStateRegistry.sol";
import {DisputeGameFactory} from "../dispute/DisputeGameFactory.sol";
import {GameStatus, IDisputeGame} from "../interfaces/IDisputeGame.sol";
import {INativeEscrow} from "../interfaces/INativeEscrow.sol";
import {Accounts} from "../libraries/Accounts.sol";
import {AddressAlias} from "../libraries/AddressAlias.sol";
import {Hashing} from "../libraries/Hashing.sol";
import {SafeCall} from "../libraries/SafeCall.sol";
import {Types} from "../libraries/Types.sol";
import {WithdrawalProof} from "../libraries/WithdrawalProof.sol";
import {Pause} from "../rollup/Pause.sol";
import {SystemConfig} from "../rollup/SystemConfig.sol";
import {ResourceMetering} from "./ResourceMetering.sol";

/// @title Portal
/// @notice The way in and out. Every call of `depositTransaction` becomes one transaction
///         of type 0x7E on L2, which nobody can censor; ether sent along is locked here and
///         minted to the sender on L2. A withdrawal is proven against a claimed output root
///         and, when proof and claim are old enough, paid by a call of its target.
/// @dev Functions, events and unparameterised errors are those of OptimismPortal2 in the
///      OP Stack's public specification, so that its clients work unchanged. Where it
///      differs on purpose:
///      - A withdrawal whose call fails is not used up: finalising it reverts, and may be
///        tried again by anybody at any time.
///      - With a native escrow the currency of L2 is a token that the escrow holds: ether is
///        refused, only the escrow mints, and withdrawals are paid by it.
contract Portal is ResourceMetering {
    /// @notice A deposit that creates a contract named a target, which must be zero; or a
    ///         withdrawal is to the portal or to the native escrow.
    error OptimismPortal_BadTarget();
    /// @notice The data exceeds `MAX_DATA_BYTES`.
    error OptimismPortal_CalldataTooLarge();
    /// @notice The gas limit is below `minimumGasLimit` of the data's length.
    error OptimismPortal_GasLimitTooLow();

    /// @notice A withdrawal's call tried to finalise another.
    error OptimismPortal_NoReentrancy();
    /// @notice The game does not count: not the factory's, voided, not of the respected
    ///         type when it was created, or lost.
    error OptimismPortal_InvalidDisputeGame();
    /// @notice The proof's parts do not hash to the game's claim.
    error OptimismPortal_InvalidOutputRootProof();
    /// @notice The withdrawal is not in the message passer's storage under the output root.
    error OptimismPortal_InvalidMerkleProof();
    /// @notice The withdrawal is paid.
    error OptimismPortal_AlreadyFinalized();
    /// @notice This submitter has not proven the withdrawal.
    error OptimismPortal_Unproven();
    /// @notice A proof must come after its game.
    error OptimismPortal_InvalidProofTimestamp();
    /// @notice The proof is younger than `proofMaturityDelaySeconds`.
    error OptimismPortal_ProofNotOldEnough();
    /// @notice The game's claim is not final, or was found wrong, or its game was voided.
    error OptimismPortal_InvalidRootClaim();
    /// @notice Exits are paused; `Pause.expiration` says until when.
    error OptimismPortal_CallPaused();
    /// @notice The withdrawal's target reverted. It can be finalised later.
    error WithdrawalCallFailed(bytes32 withdrawalHash);
    /// @notice The currency of L2 is a token: ether cannot be deposited here.
    error EtherIsNotNative();
    /// @notice Only the native escrow may mint.
    error NotNativeEscrow(address caller);

    /// @notice A deposit was made; L2 derives its transaction from this event alone.
    /// @param from       Sender on L2: the caller, aliased if it is a contract.
    /// @param to         Target on L2; zero and ignored for a contract creation.
    /// @param version    Version of `opaqueData`: always 0.
    /// @param opaqueData Packed: mint (32 bytes, wei), value (32 bytes, wei), gas limit
    ///                   (8 bytes), is creation (1 byte), data.
    event TransactionDeposited(address indexed from, address indexed to, uint256 indexed version, bytes opaqueData);

    /// @notice A withdrawal was proven.
    event WithdrawalProven(bytes32 indexed withdrawalHash, address indexed from, address indexed to);
    /// @notice Who proved it.
    event WithdrawalProvenExtension1(bytes32 indexed withdrawalHash, address indexed proofSubmitter);
    /// @notice A withdrawal was paid; `success` is always true.
    event WithdrawalFinalized(bytes32 indexed withdrawalHash, bool success);

    /// @notice Proof of a withdrawal by one submitter.
    /// @param disputeGameProxy Game whose claim it was proven against.
    /// @param timestamp        When, in seconds since 1970; 0 for never.
    struct ProvenWithdrawal {
        IDisputeGame disputeGameProxy;
        uint64 timestamp;
    }

    /// @notice What the portal is built on.
    /// @param registry       Says which games count.
    /// @param systemConfig   Parameters of the chain.
    /// @param nativeEscrow   Holds the currency of L2 if it is a token; zero if it is ether.
    /// @param proofMaturity  Seconds between a proof and the payment.
    struct Params {
        AnchorStateRegistry registry;
        SystemConfig systemConfig;
        INativeEscrow nativeEscrow;
        uint256 proofMaturity;
    }

    /// @notice Version of the deposit event's encoding.
    uint256 public constant DEPOSIT_VERSION = 0;
    /// @notice L2 gas of a deposit made by a plain transfer to this contract.
    uint64 public constant RECEIVE_DEFAULT_GAS_LIMIT = 100_000;
    /// @notice Largest data of one deposit, in bytes.
    uint256 public constant MAX_DATA_BYTES = 120_000;
    /// @notice What `l2Sender` answers while no withdrawal is being paid.
    address public constant NO_L2_SENDER = 0x000000000000000000000000000000000000dEaD;

    /// @notice Holds the currency of L2 if it is a token; zero if it is ether.
    INativeEscrow public immutable NATIVE_ESCROW;
    AnchorStateRegistry internal immutable REGISTRY;
    SystemConfig internal immutable SYSTEM_CONFIG;
    uint256 internal immutable PROOF_MATURITY;

    /// @notice Whether a withdrawal is paid.
    /// @dev Slot 1.
    mapping(bytes32 withdrawalHash => bool) public finalizedWithdrawals;
    /// @notice Proof of a withdrawal by a submitter. Everybody may prove, so that nobody's
    ///         proof against a bad game stands in another's way.
    /// @dev Slot 2.
    mapping(bytes32 withdrawalHash => mapping(address submitter => ProvenWithdrawal)) public provenWithdrawals;
    /// @notice Everybody who proved a withdrawal, in order, as often as they did.
    /// @dev Slot 3.
    mapping(bytes32 withdrawalHash => address[]) public proofSubmitters;

    /// @dev Sender on L2 of the withdrawal being paid; zero for none.
    address internal transient currentSender;

    constructor(Params memory params_) {
        REGISTRY = params_.registry;
        SYSTEM_CONFIG = params_.systemConfig;
        NATIVE_ESCROW = params_.nativeEscrow;
        PROOF_MATURITY = params_.proofMaturity;
    }

    /// @notice Deposits the ether sent, to the sender's own address on L2. For externally
    ///         owned accounts: a contract's ether would be minted to its alias.
    receive() external payable {
        depositTransaction(msg.sender, msg.value, RECEIVE_DEFAULT_GAS_LIMIT, false, bytes(""));
    }

    /// @notice Orders a transaction on L2. The ether sent is minted to the sender there
    ///         before the transaction runs and stays its own if the transaction fails.
    /// @param _to         Target on L2; must be zero for a creation.
    /// @param _value      Wei to send to the target on L2, from the sender's L2 balance.
    /// @param _gasLimit   L2 gas, at least `minimumGasLimit(_data.length)`.
    /// @param _isCreation Whether the transaction creates a contract.
    /// @param _data       Call data, or init code of a creation, up to 120,000 bytes.
    function depositTransaction(address _to, uint256 _value, uint64 _gasLimit, bool _isCreation, bytes memory _data)
        public
        payable
    {
        if (msg.value != 0 && address(NATIVE_ESCROW) != address(0)) revert EtherIsNotNative();
        _deposit(msg.sender, _to, msg.value, _value, _gasLimit, _isCreation, _data);
    }

    /// @notice As `depositTransaction`, with `_mint` of the native token, which the calling
    ///         escrow has taken in.
    /// @param _depositor Who deposits on L1; it acts on L2 as it would by its own call.
    function depositNative(
        address _depositor,
        address _to,
        uint256 _mint,
        uint256 _value,
        uint64 _gasLimit,
        bool _isCreation,
        bytes calldata _data
    ) external {
        if (msg.sender != address(NATIVE_ESCROW)) revert NotNativeEscrow(msg.sender);
        _deposit(_depositor, _to, _mint, _value, _gasLimit, _isCreation, _data);
    }

    /// @notice Proves that L2 recorded a withdrawal, against the claim of a game. May be done
    ///         again, under another game, at any time.
    /// @param _tx               The withdrawal.
    /// @param _disputeGameIndex Place of the game in the factory's list.
    /// @param _outputRootProof  What the game's claim commits to.
    /// @param _withdrawalProof  Trie nodes of the message passer's storage, from the root.
    function proveWithdrawalTransaction(
        Types.WithdrawalTransaction memory _tx,
        uint256 _disputeGameIndex,
        Types.OutputRootProof calldata _outputRootProof,
        bytes[] calldata _withdrawalProof
    ) external {
        _checkTarget(_tx.target);
        (,, address proxy) = disputeGameFactory().gameAtIndex(_disputeGameIndex);
        IDisputeGame game = IDisputeGame(proxy);
        if (
            !REGISTRY.isGameProper(game) || !REGISTRY.isGameRespected(game)
                || game.status() == GameStatus.CHALLENGER_WINS
        ) revert OptimismPortal_InvalidDisputeGame();
        if (block.timestamp <= game.createdAt()) revert OptimismPortal_InvalidProofTimestamp();
        if (game.rootClaim() != Hashing.hashOutputRootProof(_outputRootProof)) {
            revert OptimismPortal_InvalidOutputRootProof();
        }
        bytes32 withdrawalHash = Hashing.hashWithdrawal(_tx);
        if (!WithdrawalProof.verify(withdrawalHash, _outputRootProof.messagePasserStorageRoot, _withdrawalProof)) {
            revert OptimismPortal_InvalidMerkleProof();
        }
        provenWithdrawals[withdrawalHash][msg.sender] = ProvenWithdrawal(game, uint64(block.timestamp));
        proofSubmitters[withdrawalHash].push(msg.sender);
        emit WithdrawalProven(withdrawalHash, _tx.sender, _tx.target);
        emit WithdrawalProvenExtension1(withdrawalHash, msg.sender);
    }

    /// @notice Pays a withdrawal that the caller has proven.
    function finalizeWithdrawalTransaction(Types.WithdrawalTransaction memory _tx) external {
        finalizeWithdrawalTransactionExternalProof(_tx, msg.sender);
    }

    /// @notice How often a withdrawal was proven.
    function numProofSubmitters(bytes32 _withdrawalHash) external view returns (uint256) {
        return proofSubmitters[_withdrawalHash].length;
    }

    /// @notice Sender on L2 of the withdrawal being paid, else `NO_L2_SENDER`.
    function l2Sender() external view returns (address) {
        return currentSender == address(0) ? NO_L2_SENDER : currentSender;
    }

    /// @notice Says which games count.
    function anchorStateRegistry() external view returns (AnchorStateRegistry) {
        return REGISTRY;
    }

    /// @notice Parameters of the chain.
    function systemConfig() external view returns (SystemConfig) {
        return SYSTEM_CONFIG;
    }

    /// @notice Stops exits for a bounded time.
    function superchainConfig() external view returns (Pause) {
        return REGISTRY.PAUSE();
    }

    /// @notice Who may pause exits.
    function guardian() external view returns (address) {
        return REGISTRY.PAUSE().guardian();
    }

    /// @notice The type of game that counts.
    function respectedGameType() external view returns (uint32) {
        return REGISTRY.respectedGameType();
    }

    /// @notice Games created at this time, in seconds since 1970, or before do not count.
    function respectedGameTypeUpdatedAt() external view returns (uint64) {
        return REGISTRY.retirementTimestamp();
    }

    /// @notice Whether a game was voided.
    function disputeGameBlacklist(address _game) external view returns (bool) {
        return REGISTRY.disputeGameBlacklist(_game);
    }

    /// @notice Seconds between a proof and the payment.
    function proofMaturityDelaySeconds() external view returns (uint256) {
        return PROOF_MATURITY;
    }

    /// @notice Seconds between the resolution of a game and payments under it.
    function disputeGameFinalityDelaySeconds() external view returns (uint256) {
        return REGISTRY.disputeGameFinalityDelaySeconds();
    }

    /// @notice Version of this contract. Clients read the major one: from 3 on, withdrawals
    ///         are proven against games; from 4 on, games are judged by the registry.
    function version() external pure returns (string memory) {
        return "5.0.0";
    }

    /// @notice Pays a withdrawal that somebody has proven. If the call of its target fails,
    ///         this reverts and the withdrawal stays payable.
    /// @param _tx             The withdrawal.
    /// @param _proofSubmitter Whose proof counts.
    function finalizeWithdrawalTransactionExternalProof(Types.WithdrawalTransaction memory _tx, address _proofSubmitter)
        public
    {
        if (currentSender != address(0)) revert OptimismPortal_NoReentrancy();
        if (paused()) revert OptimismPortal_CallPaused();
        _checkTarget(_tx.target);
        bytes32 withdrawalHash = Hashing.hashWithdrawal(_tx);
        checkWithdrawal(withdrawalHash, _proofSubmitter);
        finalizedWithdrawals[withdrawalHash] = true;

        uint256 value = _tx.value;
        if (address(NATIVE_ESCROW) != address(0) && value != 0) {
            NATIVE_ESCROW.release(_tx.target, value);
            value = 0;
        }
        currentSender = _tx.sender;
        bool success = SafeCall.callWithMinGas(_tx.target, _tx.gasLimit, value, _tx.data);
        currentSender = address(0);
        if (!success) revert WithdrawalCallFailed(withdrawalHash);
        emit WithdrawalFinalized(withdrawalHash, true);
    }

    /// @notice Reverts with the reason if a withdrawal cannot be paid yet, or no more. A
    ///         pause is not considered.
    /// @param _withdrawalHash Hash of the withdrawal.
    /// @param _proofSubmitter Whose proof counts.
    function checkWithdrawal(bytes32 _withdrawalHash, address _proofSubmitter) public view {
        if (finalizedWithdrawals[_withdrawalHash]) revert OptimismPortal_AlreadyFinalized();
        ProvenWithdrawal memory proven = provenWithdrawals[_withdrawalHash][_proofSubmitter];
        if (proven.timestamp == 0) revert OptimismPortal_Unproven();
        if (block.timestamp - proven.timestamp <= PROOF_MATURITY) revert OptimismPortal_ProofNotOldEnough();
        if (!REGISTRY.isGameClaimValid(proven.disputeGameProxy)) revert OptimismPortal_InvalidRootClaim();
    }

    /// @notice Makes and lists games.
    function disputeGameFactory() public view returns (DisputeGameFactory) {
        return REGISTRY.FACTORY();
    }

    /// @notice Whether payments are paused.
    function paused() public view returns (bool) {
        return REGISTRY.PAUSE().paused();
    }

    /// @notice Smallest gas limit that a deposit may have: the EIP-7623 floor of a call
    ///         without zero bytes, in L2 gas. A creation needs more to succeed on L2.
    /// @param _byteCount Length of the deposit's data in bytes.
    function minimumGasLimit(uint64 _byteCount) public pure returns (uint64) {
        return _byteCount * 40 + 21_000;
    }

    function _resourceConfig() internal view override returns (SystemConfig.ResourceConfig memory) {
        return SYSTEM_CONFIG.resourceConfig();
    }

    /// @dev Checks, meters and announces a deposit. `mint` has been taken in.
    function _deposit(
        address depositor,
        address to,
        uint256 mint,
        uint256 value,
        uint64 gasLimit,
        bool isCreation,
        bytes memory data
    ) internal {
        uint256 start = gasleft();
        if (isCreation && to != address(0)) revert OptimismPortal_BadTarget();
        // Bounds what L1 can force every L2 node to carry; L1 call data alone is too cheap to do so.
        if (data.length > MAX_DATA_BYTES) revert OptimismPortal_CalldataTooLarge();
        if (gasLimit < minimumGasLimit(uint64(data.length))) revert OptimismPortal_GasLimitTooLow();
        uint256 cost = _buy(gasLimit);

        address from = Accounts.isExternallyOwned(depositor) ? depositor : AddressAlias.toL2(depositor);
        emit TransactionDeposited(from, to, DEPOSIT_VERSION, abi.encodePacked(mint, value, gasLimit, isCreation, data));
        _burn(cost, start);
    }

    /// @dev A withdrawal must not speak for the portal: to itself, or to the escrow that
    ///      obeys it.
    function _checkTarget(address target) internal view {
        bool isEscrow = target == address(NATIVE_ESCROW) && target != address(0);
        if (isEscrow || target == address(this)) revert OptimismPortal_BadTarget();
    }
}
