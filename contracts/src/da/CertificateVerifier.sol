// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";
import {BLS} from "./BLS.sol";
import {OperatorRegistry} from "./OperatorRegistry.sol";

/// @title CertificateVerifier
/// @notice Lets a batch count that a committee keeps: derivation reads the certificates
///         that this contract has announced, and no others.
/// @dev Certificates are written and read by `da.Certificate` of the node; the encoding is
///      in docs/spec/da.md.
contract CertificateVerifier is OwnableUpgradeable {
    /// @notice The bytes are not an encoded certificate.
    error Malformed();
    /// @notice The certificate came too late.
    /// @param expiry Unix seconds until which it would have been taken.
    error Expired(uint64 expiry);
    /// @notice The certificate is of a committee that is no longer taken.
    /// @param validUntil Unix seconds until which it would have been taken.
    error EpochOver(uint64 epoch, uint64 validUntil);
    /// @notice The operators that signed have less than the threshold.
    error BelowThreshold(uint64 signed, uint64 total);
    /// @notice The signature is not the operators' that it names.
    error InvalidSignature();
    /// @notice A threshold is above 5,000 and at most 10,000.
    error InvalidThreshold(uint16 threshold);

    /// @notice A certificate was verified; its data is a batch of `batcher`.
    /// @param certificateHash keccak256 of `commitment`.
    /// @param batcher         Who called; derivation reads those of the chain's batcher.
    /// @param commitment      The certificate, as it was given.
    event BatchCertified(bytes32 indexed certificateHash, address indexed batcher, bytes commitment);
    /// @notice Certificates need signers of another weight from now on.
    event ThresholdChanged(uint16 threshold);

    /// @dev Hash of the name and version of what operators sign.
    bytes32 private constant DOMAIN_TAG = keccak256("talaria.da.certificate.v1");
    /// @dev Version, epoch, expiry, length and count in front of the commitments.
    uint256 private constant HEADER_BYTES = 23;
    uint256 private constant COMMITMENT_BYTES = 48;
    uint256 private constant SIGNATURE_BYTES = 96;
    uint256 private constant RECORD_BYTES = 200;
    uint256 private constant BLOB_DATA_BYTES = 126_976;
    uint256 private constant MAX_BLOBS = 64;
    uint256 private constant BASIS = 10_000;

    /// @notice Where the committees are.
    OperatorRegistry public registry;
    /// @notice Chain id of the L2 whose batches are certified.
    uint64 public l2ChainId;
    /// @notice Weight that must have signed, in 1/10,000 of the committee's.
    uint16 public threshold;

    constructor() {
        _disableInitializers();
    }

    /// @notice Sets up a proxy.
    /// @param owner      Who changes the threshold.
    /// @param registry_  Where the committees are.
    /// @param l2ChainId_ Chain id of the L2.
    /// @param threshold_ Weight that must have signed, in 1/10,000.
    function initialize(address owner, OperatorRegistry registry_, uint64 l2ChainId_, uint16 threshold_)
        external
        initializer
    {
        __Ownable_init(owner);
        registry = registry_;
        l2ChainId = l2ChainId_;
        _setThreshold(threshold_);
    }

    /// @notice Verifies a certificate and announces it. Anybody may call; derivation reads
    ///         only what the chain's batcher has announced.
    /// @param commitment The certificate, beginning with its version, 2.
    function certify(bytes calldata commitment) external returns (bytes32 certificateHash) {
        certificateHash = verify(commitment);
        emit BatchCertified(certificateHash, msg.sender, commitment);
    }

    /// @notice Sets the weight that must have signed, in 1/10,000 of the committee's. More
    ///         than half: what half of the weight holds is enough to recover the data, and
    ///         what is above it is how much of the weight may lie.
    function setThreshold(uint16 threshold_) external onlyOwner {
        _setThreshold(threshold_);
    }

    /// @notice Reverts unless a certificate would be announced now.
    function verify(bytes calldata commitment) public view returns (bytes32 certificateHash) {
        if (commitment.length < HEADER_BYTES || commitment[0] != 0x02) revert Malformed();
        uint64 epoch = uint64(bytes8(commitment[1:9]));
        uint64 expiry = uint64(bytes8(commitment[9:17]));
        uint256 length = uint32(bytes4(commitment[17:21]));
        uint256 blobs = uint16(bytes2(commitment[21:23]));
        uint256 end = HEADER_BYTES + blobs * COMMITMENT_BYTES;
        if (blobs == 0 || blobs > MAX_BLOBS || blobs != (length + BLOB_DATA_BYTES - 1) / BLOB_DATA_BYTES) {
            revert Malformed();
        }
        // Seconds, by which a proposer might move the clock, are nothing to an hour's expiry.
        // forge-lint: disable-next-line(block-timestamp)
        if (block.timestamp > expiry) revert Expired(expiry);
        uint64 validUntil = registry.validUntil(epoch);
        // forge-lint: disable-next-line(block-timestamp)
        if (block.timestamp > validUntil) revert EpochOver(epoch, validUntil);

        bytes32 digest = keccak256(abi.encodePacked(domain(), commitment[1:end]));
        _verifySigners(commitment[end:], registry.snapshot(epoch), digest);
        return keccak256(commitment);
    }

    /// @notice What the operators' signatures begin with: it separates this contract's
    ///         certificates from those of every other, on every chain.
    function domain() public view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TAG, block.chainid, address(this), registry, l2ChainId));
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "0.1.0";
    }

    /// @param tail     Size of the committee, bitmap of the signers, signature.
    /// @param snapshot The committee.
    function _verifySigners(bytes calldata tail, bytes memory snapshot, bytes32 digest) private view {
        uint256 count = (snapshot.length - 1) / RECORD_BYTES;
        uint256 bitmapEnd = 2 + (count + 7) / 8;
        if (tail.length != bitmapEnd + SIGNATURE_BYTES || uint16(bytes2(tail[:2])) != count) revert Malformed();
        if (count % 8 != 0 && uint8(tail[bitmapEnd - 1]) >> (count % 8) != 0) revert Malformed();

        uint64 signed;
        uint64 total;
        BLS.G2 memory sum;
        for (uint256 i = 0; i < count; ++i) {
            uint256 record = 1 + i * RECORD_BYTES;
            uint64 weight = uint64(BLS.word(snapshot, record) >> 192);
            total += weight;
            if ((uint8(tail[2 + i / 8]) >> (i % 8)) & 1 == 0) continue;
            BLS.G2 memory key = BLS.g2(snapshot, record + 8);
            sum = signed == 0 ? key : BLS.add(sum, key);
            signed += weight;
        }
        if (uint256(signed) * BASIS < uint256(total) * threshold) revert BelowThreshold(signed, total);
        if (!BLS.verify(digest, BLS.SIGNATURE_TAG, BLS.g1(tail[bitmapEnd:]), sum)) revert InvalidSignature();
    }

    function _setThreshold(uint16 threshold_) private {
        if (threshold_ <= BASIS / 2 || threshold_ > BASIS) revert InvalidThreshold(threshold_);
        threshold = threshold_;
        emit ThresholdChanged(threshold_);
    }
}
