// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";
import {BLS} from "./BLS.sol";

/// @title OperatorRegistry
/// @notice Who keeps the chain's data. An operator registers its BLS key with a proof of
///         possession, the owner gives it a weight, and sealing an epoch freezes the
///         committee: certificates name an epoch, so that a change of members never
///         touches one that is on its way.
/// @dev An epoch's committee is the code of a contract: reading 200 bytes of it costs less
///      than a hundredth of reading them from storage.
contract OperatorRegistry is OwnableUpgradeable {
    /// @notice The proof is not one of the key's owner, for this registry and this account.
    error InvalidProof();
    /// @notice A key has 192 bytes and is not the point at infinity.
    error InvalidKey();
    /// @notice The key is another operator's.
    error KeyTaken(address operator);
    /// @notice Only the operator itself and the owner may do this.
    error NotAllowed(address caller);
    /// @notice The account has not registered.
    error NotRegistered(address operator);
    /// @notice A weight is at most `MAX_WEIGHT`.
    error WeightTooLarge(uint64 weight);
    /// @notice A URL has 1 to `MAX_URL_BYTES` bytes.
    error InvalidUrl(uint256 length);
    /// @notice `MAX_OPERATORS` have a weight already.
    error CommitteeFull();
    /// @notice No operator has a weight.
    error CommitteeEmpty();
    /// @notice The epoch has not been sealed.
    error UnknownEpoch(uint64 epoch);
    /// @notice The snapshot's contract could not be created.
    error SnapshotFailed();

    /// @notice An operator registered or changed its key.
    event OperatorRegistered(address indexed operator, bytes publicKey, string url);
    /// @notice An operator is reached at another URL.
    event UrlChanged(address indexed operator, string url);
    /// @notice An operator's weight from the next epoch on; zero: it is no member.
    event WeightChanged(address indexed operator, uint64 weight);
    /// @notice A committee was frozen.
    event EpochSealed(uint64 indexed epoch, uint256 operators, uint64 totalWeight);

    struct Operator {
        uint64 weight; // of the next epoch
        bytes publicKey;
        string url;
    }

    struct Epoch {
        address snapshot; // contract whose code is the committee
        uint64 sealedAt; // Unix seconds
    }

    /// @notice Members of a committee: what the code of one contract holds (EIP-170).
    uint256 public constant MAX_OPERATORS = 120;
    /// @notice Bytes of an operator in a snapshot: weight (8) and key (192).
    uint256 public constant RECORD_BYTES = 200;
    /// @notice Largest weight of one operator, so that sums and products fit 64 bits.
    uint64 public constant MAX_WEIGHT = 2 ** 40;
    /// @notice Longest URL in bytes.
    uint256 public constant MAX_URL_BYTES = 256;
    /// @notice How long certificates of an epoch are taken after the next one was sealed,
    ///         in seconds.
    uint64 public constant OVERLAP = 1 days;

    /// @notice The newest epoch; 0 before the first.
    uint64 public latestEpoch;
    /// @dev Accounts with a weight, in the order of the next snapshot.
    address[] internal members;
    /// @dev By account.
    mapping(address operator => Operator) internal operators;
    /// @dev Owners of keys, by the key's hash.
    mapping(bytes32 keyHash => address operator) internal keyOwners;
    /// @notice The sealed epochs.
    mapping(uint64 epoch => Epoch) public epochs;
    /// @dev Accounts of an epoch's operators in the order of its snapshot.
    mapping(uint64 epoch => address[]) internal epochMembers;

    constructor() {
        _disableInitializers();
    }

    /// @notice Sets up a proxy.
    /// @param owner Who admits operators and seals epochs.
    function initialize(address owner) external initializer {
        __Ownable_init(owner);
    }

    /// @notice Registers an operator, or changes its key from the next epoch on. The
    ///         operator calls, or the owner for it.
    /// @param operator  Account of the operator.
    /// @param publicKey Point of G2: x.c0, x.c1, y.c0, y.c1, 48 bytes each, big-endian.
    /// @param proof     Point of G1, x and y: signature of `possessionMessage` with the
    ///                  tag of proofs.
    /// @param url       Where the operator's HTTP interface is, without a slash at the end.
    function register(address operator, bytes calldata publicKey, bytes calldata proof, string calldata url) external {
        if (msg.sender != operator && msg.sender != owner()) revert NotAllowed(msg.sender);
        if (publicKey.length != 192) revert InvalidKey();
        if (proof.length != 96) revert InvalidProof();
        BLS.G2 memory key = BLS.g2(publicKey, 0);
        if (BLS.isInfinity(key)) revert InvalidKey();
        if (!BLS.verify(possessionMessage(operator, publicKey), BLS.POSSESSION_TAG, BLS.g1(proof), key)) {
            revert InvalidProof();
        }
        address keyOwner = keyOwners[keccak256(publicKey)];
        if (keyOwner != address(0) && keyOwner != operator) revert KeyTaken(keyOwner);
        _checkUrl(url);

        Operator storage record = operators[operator];
        if (record.publicKey.length != 0) delete keyOwners[keccak256(record.publicKey)];
        keyOwners[keccak256(publicKey)] = operator;
        record.publicKey = publicKey;
        record.url = url;
        emit OperatorRegistered(operator, publicKey, url);
    }

    /// @notice Changes where the caller is reached, at once and for every epoch.
    function setUrl(string calldata url) external {
        if (operators[msg.sender].publicKey.length == 0) revert NotRegistered(msg.sender);
        _checkUrl(url);
        operators[msg.sender].url = url;
        emit UrlChanged(msg.sender, url);
    }

    /// @notice The caller leaves the committee with the next epoch. It must serve what it
    ///         has signed for until then.
    function resign() external {
        _setWeight(msg.sender, 0);
    }

    /// @notice Gives an operator its weight from the next epoch on; zero expels it.
    function setWeight(address operator, uint64 weight) external onlyOwner {
        _setWeight(operator, weight);
    }

    /// @notice Freezes the committee of the operators that have a weight, as a new epoch.
    function sealEpoch() external onlyOwner returns (uint64 epoch) {
        uint256 count = members.length;
        if (count == 0) revert CommitteeEmpty();
        // The first byte stops whoever calls the snapshot.
        bytes memory records = new bytes(1 + count * RECORD_BYTES);
        uint64 total;
        for (uint256 i = 0; i < count; ++i) {
            Operator storage operator = operators[members[i]];
            total += operator.weight;
            _copy(records, 1 + i * RECORD_BYTES, abi.encodePacked(operator.weight, operator.publicKey));
        }
        epoch = ++latestEpoch;
        epochs[epoch] = Epoch({snapshot: _store(records), sealedAt: uint64(block.timestamp)});
        epochMembers[epoch] = members;
        emit EpochSealed(epoch, count, total);
    }

    /// @notice The committee of an epoch: a zero byte, then for each operator its weight
    ///         (8 bytes, big-endian) and its key (192 bytes).
    function snapshot(uint64 epoch) public view returns (bytes memory) {
        address holder = epochs[epoch].snapshot;
        if (holder == address(0)) revert UnknownEpoch(epoch);
        return holder.code;
    }

    /// @notice Accounts and present URLs of an epoch's operators, in the order of the
    ///         snapshot.
    function contacts(uint64 epoch) external view returns (address[] memory accounts, string[] memory urls) {
        if (epochs[epoch].snapshot == address(0)) revert UnknownEpoch(epoch);
        accounts = epochMembers[epoch];
        urls = new string[](accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            urls[i] = operators[accounts[i]].url;
        }
    }

    /// @notice Until when certificates of an epoch are taken, in Unix seconds.
    function validUntil(uint64 epoch) external view returns (uint64) {
        if (epochs[epoch].snapshot == address(0)) revert UnknownEpoch(epoch);
        if (epoch == latestEpoch) return type(uint64).max;
        return epochs[epoch + 1].sealedAt + OVERLAP;
    }

    /// @notice What is known of an account: weight in the next epoch, key, URL.
    function operatorOf(address account) external view returns (Operator memory) {
        return operators[account];
    }

    /// @notice The message that proves possession of a key to this registry for an account.
    function possessionMessage(address operator, bytes calldata publicKey) public view returns (bytes32) {
        return keccak256(abi.encodePacked(block.chainid, address(this), operator, publicKey));
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "0.1.0";
    }

    function _setWeight(address account, uint64 weight) private {
        Operator storage operator = operators[account];
        if (operator.publicKey.length == 0) revert NotRegistered(account);
        if (weight > MAX_WEIGHT) revert WeightTooLarge(weight);
        if (operator.weight == 0 && weight != 0) {
            if (members.length == MAX_OPERATORS) revert CommitteeFull();
            members.push(account);
        }
        if (operator.weight != 0 && weight == 0) _remove(account);
        operator.weight = weight;
        emit WeightChanged(account, weight);
    }

    /// @dev The last member takes the place.
    function _remove(address account) private {
        uint256 last = members.length - 1;
        for (uint256 i = 0; i < last; ++i) {
            if (members[i] == account) {
                members[i] = members[last];
                break;
            }
        }
        members.pop();
    }

    function _checkUrl(string calldata url) private pure {
        uint256 length = bytes(url).length;
        if (length == 0 || length > MAX_URL_BYTES) revert InvalidUrl(length);
    }

    /// @dev Assembly: the language copies memory byte by byte.
    function _copy(bytes memory to, uint256 offset, bytes memory from) private pure {
        assembly ("memory-safe") {
            mcopy(add(add(to, 32), offset), add(from, 32), mload(from))
        }
    }

    /// @dev Creates a contract with the given code. Assembly: the language creates only
    ///      contracts that it has compiled.
    function _store(bytes memory code) private returns (address created) {
        // PUSH2 length, DUP1, PUSH1 10, RETURNDATASIZE, CODECOPY, RETURNDATASIZE, RETURN
        bytes memory creation = abi.encodePacked(hex"61", uint16(code.length), hex"80600a3d393df3", code);
        assembly ("memory-safe") {
            created := create(0, add(creation, 32), mload(creation))
        }
        if (created == address(0)) revert SnapshotFailed();
    }
}
