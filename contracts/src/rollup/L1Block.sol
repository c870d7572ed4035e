// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title L1Block
/// @notice Predeploy at 0x4200000000000000000000000000000000000015: what L2 knows of the
///         L1 block from which the current L2 block takes its deposits. The first
///         transaction of every L2 block writes it.
/// @dev OP Stack specification, "L1 attributes predeployed contract"; the storage layout
///      is the specification's, because nodes and provers read the slots directly.
contract L1Block {
    /// @notice The caller is not `DEPOSITOR_ACCOUNT`.
    error NotDepositor();

    /// @notice The only account that may write; it has no key.
    address public constant DEPOSITOR_ACCOUNT = 0xDeaDDEaDDeAdDeAdDEAdDEaddeAddEAdDEAd0001;

    /// @notice Number of the L1 block.
    /// @dev Slot 0, bits 0..63.
    uint64 public number;
    /// @notice Timestamp of the L1 block in seconds.
    /// @dev Slot 0, bits 64..127.
    uint64 public timestamp;
    /// @notice Base fee of the L1 block in wei per gas.
    /// @dev Slot 1.
    uint256 public basefee;
    /// @notice Hash of the L1 block.
    /// @dev Slot 2.
    bytes32 public hash;
    /// @notice Number of L2 blocks since the L1 block last changed.
    /// @dev Slot 3, bits 0..63.
    uint64 public sequenceNumber;
    /// @notice Factor of the blob base fee in the L1 data fee, in millionths.
    /// @dev Slot 3, bits 64..95.
    uint32 public blobBaseFeeScalar;
    /// @notice Factor of the base fee in the L1 data fee, in millionths.
    /// @dev Slot 3, bits 96..127.
    uint32 public baseFeeScalar;
    /// @notice Address of the batcher, left-padded with zeros.
    /// @dev Slot 4.
    bytes32 public batcherHash;
    /// @notice Parameter of the L1 data fee before Ecotone: always zero.
    /// @dev Slot 5.
    uint256 public l1FeeOverhead;
    /// @notice Parameter of the L1 data fee before Ecotone: always zero.
    /// @dev Slot 6.
    uint256 public l1FeeScalar;
    /// @notice Blob base fee of the L1 block in wei per blob gas.
    /// @dev Slot 7.
    uint256 public blobBaseFee;

    /// @notice Writes all values from packed call data. After the selector: base fee
    ///         scalar (4 bytes), blob base fee scalar (4), sequence number (8), timestamp
    ///         (8), number (8), base fee (32), blob base fee (32), hash (32), batcher hash (32).
    function setL1BlockValuesEcotone() external {
        if (msg.sender != DEPOSITOR_ACCOUNT) revert NotDepositor();
        baseFeeScalar = uint32(bytes4(msg.data[4:8]));
        blobBaseFeeScalar = uint32(bytes4(msg.data[8:12]));
        sequenceNumber = uint64(bytes8(msg.data[12:20]));
        timestamp = uint64(bytes8(msg.data[20:28]));
        number = uint64(bytes8(msg.data[28:36]));
        basefee = uint256(bytes32(msg.data[36:68]));
        blobBaseFee = uint256(bytes32(msg.data[68:100]));
        hash = bytes32(msg.data[100:132]);
        batcherHash = bytes32(msg.data[132:164]);
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "0.1.0";
    }
}
