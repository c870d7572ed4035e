// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

import {ICheckpoints} from "../interfaces/ICheckpoints.sol";

/// @title SignedCheckpoints
/// @notice Attested blocks of a chain with one sequencer: a block counts once its attestor
///         has signed it. Two signatures of one height void everything that the attestor
///         signed. It trusts a single key; a pool's checkpoints take its place.
contract SignedCheckpoints is ICheckpoints, OwnableUpgradeable {
    /// @notice The signature is not the attestor's.
    error NotAttestor(address signer, address attestor);
    /// @notice The attestor signed two blocks of one height; nothing of it counts any more.
    error Voided(address attestor);
    /// @notice A block hash must not be zero.
    error NoHash();

    /// @notice Another account attests from now on; what the last one signed counts no more.
    event AttestorSet(address indexed attestor);
    /// @notice A block was attested.
    event Attested(uint256 indexed l2BlockNumber, bytes32 blockHash);
    /// @notice The attestor signed two blocks of one height.
    event Conflict(address indexed attestor, uint256 indexed l2BlockNumber, bytes32 first, bytes32 second);

    /// @notice Chain id of L2.
    uint256 public immutable L2_CHAIN_ID;

    /// @notice Whose signatures count.
    /// @dev Slot 0.
    address public attestor;
    /// @notice Attestors that signed two blocks of one height.
    /// @dev Slot 1.
    mapping(address attestor => bool) public voided;
    /// @dev Slot 2.
    mapping(address attestor => mapping(uint256 l2BlockNumber => bytes32)) internal hashes;

    constructor(uint256 l2ChainId) {
        L2_CHAIN_ID = l2ChainId;
        _disableInitializers();
    }

    /// @param owner_    Who names the attestor.
    /// @param attestor_ The first one.
    function initialize(address owner_, address attestor_) external initializer {
        __Ownable_init(owner_);
        _setAttestor(attestor_);
    }

    /// @notice Names another attestor.
    function setAttestor(address attestor_) external onlyOwner {
        _setAttestor(attestor_);
    }

    /// @notice Records a signed block. Anybody may hand it in.
    /// @param l2BlockNumber Its height.
    /// @param blockHash_    Its hash.
    /// @param signature     Of `digest`, 65 bytes.
    function attest(uint256 l2BlockNumber, bytes32 blockHash_, bytes calldata signature) external {
        address by = attestor;
        if (blockHash_ == 0) revert NoHash();
        if (voided[by]) revert Voided(by);
        address signer = ECDSA.recover(digest(l2BlockNumber, blockHash_), signature);
        if (signer != by) revert NotAttestor(signer, by);
        bytes32 first = hashes[by][l2BlockNumber];
        if (first != 0 && first != blockHash_) {
            voided[by] = true;
            emit Conflict(by, l2BlockNumber, first, blockHash_);
            return;
        }
        hashes[by][l2BlockNumber] = blockHash_;
        emit Attested(l2BlockNumber, blockHash_);
    }

    /// @inheritdoc ICheckpoints
    function blockHash(uint256 l2BlockNumber) external view returns (bytes32) {
        return voided[attestor] ? bytes32(0) : hashes[attestor][l2BlockNumber];
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "1.0.0";
    }

    /// @notice What the attestor signs: EIP-191 data for this contract, which are
    ///         abi.encode(L1 chain id, L2 chain id, height, hash).
    function digest(uint256 l2BlockNumber, bytes32 blockHash_) public view returns (bytes32) {
        return MessageHashUtils.toDataWithIntendedValidatorHash(
            address(this), abi.encode(block.chainid, L2_CHAIN_ID, l2BlockNumber, blockHash_)
        );
    }

    function _setAttestor(address attestor_) internal {
        attestor = attestor_;
        emit AttestorSet(attestor_);
    }
}
