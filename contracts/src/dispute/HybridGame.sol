// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

import {GameStatus, IDisputeGame} from "../interfaces/IDisputeGame.sol";
import {IDisputeVerifier} from "../interfaces/IDisputeVerifier.sol";
import {AnchorStateRegistry} from "./AnchorStateRegistry.sol";
import {BondVault} from "./BondVault.sol";
import {ChallengerStakes} from "./ChallengerStakes.sol";

/// @title HybridGame
/// @notice A bonded claim that an output root is right. Within the challenge window anybody
///         with a challenger's stake may counter it; one stake does for any number of
///         claims. Unchallenged, a claim is valid when the window has passed. Challenged, it
///         waits for the registry's verifier: as long as there is no verifier or no verdict
///         it stays undecided, and nothing can make it valid. Half of the bond of a wrong claim
///         goes to its challenger; whoever challenged a right one loses the stake.
/// @dev A clone; arguments are those of DisputeGameFactory. Each game is used once.
contract HybridGame is IDisputeGame {
    /// @notice Only the factory sets games up.
    error NotFactory(address caller);
    /// @notice The game is set up already.
    error AlreadyInitialized();
    /// @notice Extra data is not one word.
    error BadExtraData();
    /// @notice The claim is not about a block after the anchor.
    error NotAfterAnchor(uint256 l2BlockNumber, uint256 anchorNumber);
    /// @notice The chain cannot have a block of that number yet.
    error BeyondTheChain(uint256 l2BlockNumber, uint256 highest);
    /// @notice The game is decided.
    error AlreadyResolved();
    /// @notice The claim was challenged before, by `challenger`.
    error AlreadyChallenged(address challenger);
    /// @notice The window closed at `closedAt`, in seconds since 1970.
    error WindowClosed(uint64 closedAt);
    /// @notice The window is open until `closesAt`, in seconds since 1970.
    error WindowOpen(uint64 closesAt);
    /// @notice A counter-claim must differ from the claim.
    error SameClaim();
    /// @notice The claim is challenged and there is no verdict yet.
    error Undecided();

    /// @notice The claim was challenged.
    /// @param challenger   By whom.
    /// @param counterClaim Output root that the challenger holds to be right.
    event Challenged(address indexed challenger, bytes32 counterClaim);

    /// @notice Settings of all games of one implementation.
    /// @param gameType        Type under which the factory knows it.
    /// @param challengeWindow Seconds in which a claim may be challenged, at least 1.
    /// @param registry        Says what is respected and who decides.
    /// @param vault           Holds the bonds of claims.
    /// @param stakes          Holds the stakes of challengers.
    /// @param chainStart      Time of L1 when L2 began or before, in seconds since 1970.
    struct Params {
        uint32 gameType;
        uint64 challengeWindow;
        AnchorStateRegistry registry;
        BondVault vault;
        ChallengerStakes stakes;
        uint64 chainStart;
    }

    /// @notice Most blocks in a second that claims may count on. The sequencer makes ten at
    ///         most; derivation has no bound of its own.
    uint64 public constant MAX_BLOCKS_PER_SECOND = 1_000;

    uint32 internal immutable GAME_TYPE;
    uint64 internal immutable WINDOW;
    /// @notice Says what is respected and who decides.
    AnchorStateRegistry public immutable REGISTRY;
    /// @notice Holds the bonds of claims.
    BondVault public immutable VAULT;
    /// @notice Holds the stakes of challengers.
    ChallengerStakes public immutable STAKES;
    /// @notice Time of L1 when L2 began or before, in seconds since 1970.
    uint64 public immutable CHAIN_START;

    /// @inheritdoc IDisputeGame
    /// @dev Slot 0, bits 0..63.
    uint64 public createdAt;
    /// @inheritdoc IDisputeGame
    /// @dev Slot 0, bits 64..127.
    uint64 public resolvedAt;
    /// @inheritdoc IDisputeGame
    /// @dev Slot 0, bits 128..135.
    GameStatus public status;
    /// @inheritdoc IDisputeGame
    /// @dev Slot 0, bits 136..143.
    bool public wasRespectedGameTypeWhenCreated;
    /// @notice Who challenged the claim; zero for nobody.
    /// @dev Slot 1.
    address public challenger;
    /// @notice What the challenger holds to be right.
    /// @dev Slot 2.
    bytes32 public counterClaim;
    /// @notice Bond of the claim in wei.
    /// @dev Slot 3.
    uint256 public bond;

    constructor(Params memory params) {
        GAME_TYPE = params.gameType;
        WINDOW = params.challengeWindow;
        REGISTRY = params.registry;
        VAULT = params.vault;
        STAKES = params.stakes;
        CHAIN_START = params.chainStart;
    }

    /// @inheritdoc IDisputeGame
    function initialize() external payable {
        if (msg.sender != address(REGISTRY.FACTORY())) revert NotFactory(msg.sender);
        if (createdAt != 0) revert AlreadyInitialized();
        if (extraData().length != 32) revert BadExtraData();
        (, uint256 anchorNumber) = REGISTRY.getAnchorRoot();
        uint256 number = l2SequenceNumber();
        if (number <= anchorNumber) revert NotAfterAnchor(number, anchorNumber);
        if (number > highestBlock()) revert BeyondTheChain(number, highestBlock());
        createdAt = uint64(block.timestamp);
        wasRespectedGameTypeWhenCreated = REGISTRY.respectedGameType() == GAME_TYPE;
        bond = msg.value;
        VAULT.lock{value: msg.value}();
    }

    /// @notice Counters the claim with the caller's stake.
    /// @param counterClaim_ Output root that is right instead.
    function challenge(bytes32 counterClaim_) external {
        if (status != GameStatus.IN_PROGRESS) revert AlreadyResolved();
        if (challenger != address(0)) revert AlreadyChallenged(challenger);
        if (block.timestamp >= windowClosesAt()) revert WindowClosed(windowClosesAt());
        if (counterClaim_ == rootClaim()) revert SameClaim();
        challenger = msg.sender;
        counterClaim = counterClaim_;
        STAKES.hold(msg.sender);
        emit Challenged(msg.sender, counterClaim_);
    }

    /// @inheritdoc IDisputeGame
    /// @dev Half of the bond of a wrong claim stays in the vault for good, so that a claimant
    ///      who challenges himself does not get all of it back.
    function resolve() external returns (GameStatus) {
        if (status != GameStatus.IN_PROGRESS) revert AlreadyResolved();
        if (block.timestamp < windowClosesAt()) revert WindowOpen(windowClosesAt());
        bool challenged = challenger != address(0);
        bool valid = !challenged || _verdict();
        status = valid ? GameStatus.DEFENDER_WINS : GameStatus.CHALLENGER_WINS;
        resolvedAt = uint64(block.timestamp);
        uint256 released = valid ? bond : bond / 2;
        if (released != 0) VAULT.release(valid ? gameCreator() : challenger, released);
        if (challenged) STAKES.decide(!valid, gameCreator(), bond);
        emit Resolved(status);
        return status;
    }

    /// @notice Seconds in which a claim may be challenged.
    function challengeWindow() external view returns (uint64) {
        return WINDOW;
    }

    /// @inheritdoc IDisputeGame
    function gameData() external view returns (uint32, bytes32, bytes memory) {
        return (GAME_TYPE, rootClaim(), extraData());
    }

    /// @inheritdoc IDisputeGame
    function gameType() external view returns (uint32) {
        return GAME_TYPE;
    }

    /// @inheritdoc IDisputeGame
    function l1Head() external view returns (bytes32) {
        (,, bytes32 head,) = _args();
        return head;
    }

    /// @notice Number of the L2 block that the claim is about.
    function l2BlockNumber() external view returns (uint256) {
        return l2SequenceNumber();
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "2.1.0";
    }

    /// @notice Highest number that a block of the chain can have by now.
    function highestBlock() public view returns (uint256) {
        return (block.timestamp - CHAIN_START) * MAX_BLOCKS_PER_SECOND;
    }

    /// @notice Until when the claim may be challenged, in seconds since 1970.
    function windowClosesAt() public view returns (uint64) {
        return createdAt + WINDOW;
    }

    /// @inheritdoc IDisputeGame
    function gameCreator() public view returns (address) {
        (address creator,,,) = _args();
        return creator;
    }

    /// @inheritdoc IDisputeGame
    function rootClaim() public view returns (bytes32) {
        (, bytes32 claim,,) = _args();
        return claim;
    }

    /// @inheritdoc IDisputeGame
    function extraData() public view returns (bytes memory) {
        (,,, bytes memory data) = _args();
        return data;
    }

    /// @inheritdoc IDisputeGame
    function l2SequenceNumber() public view returns (uint256) {
        return abi.decode(extraData(), (uint256));
    }

    /// @dev Whether the verifier holds the challenged claim to be valid. No verifier, no
    ///      verdict, no decision.
    function _verdict() internal view returns (bool) {
        IDisputeVerifier verifier = REGISTRY.disputeVerifier();
        if (address(verifier) == address(0)) revert Undecided();
        IDisputeVerifier.Verdict verdict = verifier.verdict(address(this));
        if (verdict == IDisputeVerifier.Verdict.UNDECIDED) revert Undecided();
        return verdict == IDisputeVerifier.Verdict.VALID;
    }

    function _args() internal view returns (address creator, bytes32 claim, bytes32 head, bytes memory data) {
        return abi.decode(Clones.fetchCloneArgs(address(this)), (address, bytes32, bytes32, bytes));
    }
}
