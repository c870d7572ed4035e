// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";

import {GameStatus, IDisputeGame} from "../interfaces/IDisputeGame.sol";
import {IDisputeVerifier} from "../interfaces/IDisputeVerifier.sol";
import {Pause} from "../rollup/Pause.sol";
import {DisputeGameFactory} from "./DisputeGameFactory.sol";

/// @title AnchorStateRegistry
/// @notice Says which games count: the portal pays only under games for which
///         `isGameClaimValid`. Also keeps the newest output root that so became final.
/// @dev ABI of the OP Stack specification, "Anchor state registry". There the guardian may
///      void games at any time; here any number in the first pause of a period and, at any time, one
///      that is not final in each `VOID_PERIOD`, so that what this leaves open stays open.
contract AnchorStateRegistry is OwnableUpgradeable {
    /// @notice The caller is not the guardian.
    error NotGuardian(address caller);
    /// @notice The guardian may void games only in the first pause of a period; but for one game
    ///         that is not final yet, from `nextVoid` on.
    error NotVoiding();
    /// @notice The game's claim is not final and valid, or not newer than the anchor.
    error AnchorStateRegistry_InvalidAnchorGame();

    /// @notice The portal respects another type of game now.
    event RespectedGameTypeSet(uint32 gameType);
    /// @notice A game was voided.
    event DisputeGameBlacklisted(address indexed disputeGame);
    /// @notice Every game created at `timestamp` or before was voided.
    event RetirementTimestampSet(uint256 timestamp);
    /// @notice The anchor moved to the claim of a game.
    event AnchorUpdated(address indexed game);
    /// @notice Challenged claims are decided by another verifier now.
    event DisputeVerifierSet(address indexed verifier);

    /// @notice Seconds between two games that the guardian voids outside the first pause of a period.
    /// @dev Longer than a claim takes to become final, so that of claims made together no two
    ///      are voided so.
    uint64 public constant VOID_PERIOD = 8 days;

    /// @notice Makes the games that count.
    DisputeGameFactory public immutable FACTORY;
    /// @notice Knows the guardian and whether exits are paused.
    Pause public immutable PAUSE;
    /// @notice Seconds between the resolution of a game and its claim's being final.
    uint256 public immutable FINALITY_DELAY;

    /// @notice The one type of game that the portal respects.
    /// @dev Slot 0, bits 0..31.
    uint32 public respectedGameType;
    /// @notice Games created at this time, in seconds since 1970, or before do not count.
    /// @dev Slot 0, bits 32..95.
    uint64 public retirementTimestamp;
    /// @notice The game whose claim became the anchor last; zero before the first.
    /// @dev Slot 0, bits 96..255.
    address internal newestAnchor;
    /// @notice Who decides challenged claims; zero for nobody yet.
    /// @dev Slot 1.
    IDisputeVerifier public disputeVerifier;
    /// @notice Games that were voided.
    /// @dev Slot 2.
    mapping(address game => bool) public disputeGameBlacklist;
    /// @dev Slot 3, bits 0..159: the anchor before the newest.
    address internal previousAnchor;
    /// @notice When the guardian may void a game outside the first pause of a period, in seconds since 1970.
    /// @dev Slot 3, bits 160..223.
    uint64 public nextVoid;

    /// @param factory       Makes the games.
    /// @param pause         Knows the guardian.
    /// @param finalityDelay Seconds from resolution to finality.
    constructor(DisputeGameFactory factory, Pause pause, uint256 finalityDelay) {
        FACTORY = factory;
        PAUSE = pause;
        FINALITY_DELAY = finalityDelay;
        _disableInitializers();
    }

    /// @param owner_    Who sets the respected type and the verifier.
    /// @param gameType_ The type of game respected first.
    function initialize(address owner_, uint32 gameType_) external initializer {
        __Ownable_init(owner_);
        _setRespectedGameType(gameType_);
    }

    /// @notice Has the portal respect another type of game. Games keep the standing that
    ///         they had when they were created.
    function setRespectedGameType(uint32 gameType_) external onlyOwner {
        _setRespectedGameType(gameType_);
    }

    /// @notice Names who decides challenged claims.
    function setDisputeVerifier(IDisputeVerifier verifier) external onlyOwner {
        disputeVerifier = verifier;
        emit DisputeVerifierSet(address(verifier));
    }

    /// @notice Voids a game: any one in the first pause of a period, else one in each `VOID_PERIOD`
    ///         that is not final. Withdrawals proven under it need another proof under another game.
    function blacklistDisputeGame(address game) external onlyGuardian {
        if (!PAUSE.voiding()) {
            if (block.timestamp < nextVoid || isGameFinalized(IDisputeGame(game))) revert NotVoiding();
            nextVoid = uint64(block.timestamp) + VOID_PERIOD;
        }
        disputeGameBlacklist[game] = true;
        emit DisputeGameBlacklisted(game);
    }

    /// @notice Voids every game created until now, in the first pause of a period.
    function updateRetirementTimestamp() external onlyGuardian {
        if (!PAUSE.voiding()) revert NotVoiding();
        retirementTimestamp = uint64(block.timestamp);
        emit RetirementTimestampSet(block.timestamp);
    }

    /// @notice Moves the anchor to the claim of a game, which must be valid and newer.
    function setAnchorState(IDisputeGame game) external {
        (, uint256 number) = getAnchorRoot();
        if (!isGameClaimValid(game) || game.l2SequenceNumber() <= number) {
            revert AnchorStateRegistry_InvalidAnchorGame();
        }
        previousAnchor = anchorGame();
        newestAnchor = address(game);
        emit AnchorUpdated(address(game));
    }

    /// @notice Seconds between the resolution of a game and its claim's being final.
    function disputeGameFinalityDelaySeconds() external view returns (uint256) {
        return FINALITY_DELAY;
    }

    /// @notice Makes the games that count.
    function disputeGameFactory() external view returns (DisputeGameFactory) {
        return FACTORY;
    }

    /// @notice Whether exits are paused.
    function paused() external view returns (bool) {
        return PAUSE.paused();
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "3.2.0";
    }

    /// @notice The game whose claim is the anchor. Of games that were voided since, it is
    ///         none: then the one before, and if that is voided too, zero.
    function anchorGame() public view returns (address) {
        if (_isStanding(newestAnchor)) return newestAnchor;
        return _isStanding(previousAnchor) ? previousAnchor : address(0);
    }

    /// @notice Output root and L2 block number of the anchor; zeros if there is none.
    function getAnchorRoot() public view returns (bytes32 root, uint256 l2BlockNumber) {
        address game = anchorGame();
        if (game == address(0)) return (0, 0);
        return (IDisputeGame(game).rootClaim(), IDisputeGame(game).l2SequenceNumber());
    }

    /// @notice Whether the factory made the game.
    function isGameRegistered(IDisputeGame game) public view returns (bool) {
        (uint32 gameType, bytes32 rootClaim, bytes memory extraData) = game.gameData();
        (address registered,) = FACTORY.games(gameType, rootClaim, extraData);
        return registered == address(game);
    }

    /// @notice Whether its type was the respected one when it was created.
    function isGameRespected(IDisputeGame game) public view returns (bool) {
        return game.wasRespectedGameTypeWhenCreated();
    }

    /// @notice Whether the guardian voided this game.
    function isGameBlacklisted(IDisputeGame game) public view returns (bool) {
        return disputeGameBlacklist[address(game)];
    }

    /// @notice Whether the guardian voided all games of its age.
    function isGameRetired(IDisputeGame game) public view returns (bool) {
        return game.createdAt() <= retirementTimestamp;
    }

    /// @notice Whether the factory made the game and nobody voided it.
    function isGameProper(IDisputeGame game) public view returns (bool) {
        return isGameRegistered(game) && !isGameBlacklisted(game) && !isGameRetired(game);
    }

    /// @notice Whether the game is decided.
    function isGameResolved(IDisputeGame game) public view returns (bool) {
        return game.resolvedAt() != 0 && game.status() != GameStatus.IN_PROGRESS;
    }

    /// @notice Whether the game has been decided for longer than the finality delay.
    function isGameFinalized(IDisputeGame game) public view returns (bool) {
        return isGameResolved(game) && block.timestamp - game.resolvedAt() > FINALITY_DELAY;
    }

    /// @notice Whether the game's claim may be relied on.
    function isGameClaimValid(IDisputeGame game) public view returns (bool) {
        return isGameProper(game) && isGameRespected(game) && isGameFinalized(game)
            && game.status() == GameStatus.DEFENDER_WINS;
    }

    modifier onlyGuardian() {
        _checkGuardian();
        _;
    }

    function _checkGuardian() internal view {
        if (msg.sender != PAUSE.guardian()) revert NotGuardian(msg.sender);
    }

    /// @dev Whether an anchor was not voided since it became one.
    function _isStanding(address game) internal view returns (bool) {
        return game != address(0) && !isGameBlacklisted(IDisputeGame(game)) && !isGameRetired(IDisputeGame(game));
    }

    function _setRespectedGameType(uint32 gameType_) internal {
        respectedGameType = gameType_;
        emit RespectedGameTypeSet(gameType_);
    }
}
