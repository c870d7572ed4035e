// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

import {IDisputeGame} from "../interfaces/IDisputeGame.sol";

/// @title DisputeGameFactory
/// @notice Makes games about output roots and keeps the list of them. Anybody may create
///         one by posting the bond of its type; a game is a clone of the implementation
///         that the owner has set for the type.
/// @dev ABI of the OP Stack specification, "Dispute game factory". A game's arguments are
///      abi.encode(creator, rootClaim, l1Head, extraData).
contract DisputeGameFactory is OwnableUpgradeable {
    /// @notice The type has no implementation.
    error NoImplementation(uint32 gameType);
    /// @notice The value sent is not the bond of the type.
    error IncorrectBondAmount();
    /// @notice A game with this type, claim and extra data exists.
    error GameAlreadyExists(bytes32 uuid);

    /// @notice A game was created.
    event DisputeGameCreated(address indexed disputeProxy, uint32 indexed gameType, bytes32 indexed rootClaim);
    /// @notice The implementation of a type was set.
    event ImplementationSet(address indexed impl, uint32 indexed gameType);
    /// @notice The bond of a type was set, in wei.
    event InitBondUpdated(uint32 indexed gameType, uint256 indexed newBond);

    /// @notice One result of a search.
    /// @param index     Place in the list of games.
    /// @param metadata  Type (4 bytes), creation time in seconds (8 bytes), address (20 bytes).
    /// @param timestamp Creation time in seconds since 1970.
    /// @param rootClaim Claimed output root.
    /// @param extraData The creator's extra data.
    struct GameSearchResult {
        uint256 index;
        bytes32 metadata;
        uint64 timestamp;
        bytes32 rootClaim;
        bytes extraData;
    }

    /// @notice Implementation of each type; zero for none.
    /// @dev Slot 0.
    mapping(uint32 gameType => address) public gameImpls;
    /// @notice Bond of each type in wei.
    /// @dev Slot 1.
    mapping(uint32 gameType => uint256) public initBonds;
    /// @dev Slot 2: metadata of each game by what identifies it.
    mapping(bytes32 uuid => bytes32 metadata) internal gamesByUuid;
    /// @dev Slot 3: metadata of all games, in the order of creation.
    bytes32[] internal gameList;

    constructor() {
        _disableInitializers();
    }

    /// @param owner_   Who sets implementations and bonds.
    /// @param gameType First type.
    /// @param impl     Its implementation.
    /// @param bond     Its bond in wei.
    function initialize(address owner_, uint32 gameType, address impl, uint256 bond) external initializer {
        __Ownable_init(owner_);
        _setImplementation(gameType, impl);
        _setInitBond(gameType, bond);
    }

    /// @notice Claims an output root, with the bond of the type as value.
    /// @param _gameType  Type of the game.
    /// @param _rootClaim Output root claimed.
    /// @param _extraData For the game: the number of the L2 block, ABI-encoded.
    /// @return proxy_ The game. Its address follows from the claim, its maker and the L1 block
    ///                before: where L1 is reorganised, no other claim comes to be there.
    function create(uint32 _gameType, bytes32 _rootClaim, bytes calldata _extraData)
        external
        payable
        returns (address proxy_)
    {
        address impl = gameImpls[_gameType];
        if (impl == address(0)) revert NoImplementation(_gameType);
        if (msg.value != initBonds[_gameType]) revert IncorrectBondAmount();
        bytes32 uuid = getGameUUID(_gameType, _rootClaim, _extraData);
        if (gamesByUuid[uuid] != 0) revert GameAlreadyExists(uuid);

        bytes memory args = abi.encode(msg.sender, _rootClaim, blockhash(block.number - 1), _extraData);
        proxy_ = Clones.cloneDeterministicWithImmutableArgs(impl, args, uuid);
        bytes32 metadata = _pack(_gameType, uint64(block.timestamp), proxy_);
        gamesByUuid[uuid] = metadata;
        gameList.push(metadata);
        emit DisputeGameCreated(proxy_, _gameType, _rootClaim);
        IDisputeGame(proxy_).initialize{value: msg.value}();
    }

    /// @notice Sets the implementation of a type; zero forbids new games of it.
    function setImplementation(uint32 _gameType, address _impl) external onlyOwner {
        _setImplementation(_gameType, _impl);
    }

    /// @notice Sets the bond of a type in wei.
    function setInitBond(uint32 _gameType, uint256 _initBond) external onlyOwner {
        _setInitBond(_gameType, _initBond);
    }

    /// @notice Number of games.
    function gameCount() external view returns (uint256 gameCount_) {
        return gameList.length;
    }

    /// @notice A game by its place in the list.
    function gameAtIndex(uint256 _index) external view returns (uint32 gameType_, uint64 timestamp_, address proxy_) {
        return _unpack(gameList[_index]);
    }

    /// @notice A game by what identifies it; the zero address if there is none.
    function games(uint32 _gameType, bytes32 _rootClaim, bytes calldata _extraData)
        external
        view
        returns (address proxy_, uint64 timestamp_)
    {
        (, timestamp_, proxy_) = _unpack(gamesByUuid[getGameUUID(_gameType, _rootClaim, _extraData)]);
    }

    /// @notice The newest games of a type, at most `_n`, from place `_start` downwards.
    function findLatestGames(uint32 _gameType, uint256 _start, uint256 _n)
        external
        view
        returns (GameSearchResult[] memory games_)
    {
        if (_start >= gameList.length || _n == 0) return games_;
        if (_n > _start + 1) _n = _start + 1;
        bytes32[] memory found = new bytes32[](_n);
        uint256[] memory places = new uint256[](_n);
        uint256 count;
        for (uint256 i = _start + 1; i > 0 && count < _n; i--) {
            bytes32 metadata = gameList[i - 1];
            (uint32 gameType,,) = _unpack(metadata);
            if (gameType != _gameType) continue;
            found[count] = metadata;
            places[count++] = i - 1;
        }
        games_ = new GameSearchResult[](count);
        for (uint256 i = 0; i < count; i++) {
            (, uint64 timestamp, address proxy) = _unpack(found[i]);
            games_[i] = GameSearchResult(
                places[i], found[i], timestamp, IDisputeGame(proxy).rootClaim(), IDisputeGame(proxy).extraData()
            );
        }
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "1.1.0";
    }

    /// @notice What identifies a game.
    function getGameUUID(uint32 _gameType, bytes32 _rootClaim, bytes calldata _extraData)
        public
        pure
        returns (bytes32 uuid_)
    {
        return keccak256(abi.encode(_gameType, _rootClaim, _extraData));
    }

    function _setImplementation(uint32 gameType, address impl) internal {
        gameImpls[gameType] = impl;
        emit ImplementationSet(impl, gameType);
    }

    function _setInitBond(uint32 gameType, uint256 bond) internal {
        initBonds[gameType] = bond;
        emit InitBondUpdated(gameType, bond);
    }

    function _pack(uint32 gameType, uint64 timestamp, address proxy) internal pure returns (bytes32) {
        return bytes32((uint256(gameType) << 224) | (uint256(timestamp) << 160) | uint160(proxy));
    }

    function _unpack(bytes32 metadata) internal pure returns (uint32 gameType, uint64 timestamp, address proxy) {
        // Each cast drops the fields above its own.
        // forge-lint: disable-next-line(unsafe-typecast)
        gameType = uint32(uint256(metadata) >> 224);
        // forge-lint: disable-next-line(unsafe-typecast)
        timestamp = uint64(uint256(metadata) >> 160);
        // forge-lint: disable-next-line(unsafe-typecast)
        proxy = address(uint160(uint256(metadata)));
    }
}
