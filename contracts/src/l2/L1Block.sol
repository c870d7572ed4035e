// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {StorageSlot} from "@openzeppelin/contracts/utils/StorageSlot.sol";

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

    /// @dev Stands for ether where a token's address is asked for.
    address internal constant ETHER = 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE;
    /// @dev Address of the native currency's token and, above it, one byte of decimals; zero
    ///      for ether. keccak256("opstack.gaspayingtoken") - 1. Genesis writes it.
    bytes32 internal constant GAS_PAYING_TOKEN_SLOT = bytes32(uint256(keccak256("opstack.gaspayingtoken")) - 1);
    /// @dev Its name, up to 32 bytes.
    bytes32 internal constant GAS_PAYING_TOKEN_NAME_SLOT =
        bytes32(uint256(keccak256("opstack.gaspayingtokenname")) - 1);
    /// @dev Its symbol, up to 32 bytes.
    bytes32 internal constant GAS_PAYING_TOKEN_SYMBOL_SLOT =
        bytes32(uint256(keccak256("opstack.gaspayingtokensymbol")) - 1);

    /// @dev What ether is worth in the native currency: rate (bits 128..191), until when it
    ///      holds (64..127), what counts from then on (0..63); zero for ether.
    ///      keccak256("talaria.gastokenrate") - 1.
    bytes32 internal constant GAS_TOKEN_RATE_SLOT = bytes32(uint256(keccak256("talaria.gastokenrate")) - 1);

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
        _setValues();
    }

    /// @notice As `setL1BlockValuesEcotone`, where the native currency is a token. There
    ///         follow its rate (8 bytes), until when that holds (8), and what counts then (8).
    function setL1BlockValuesGasToken() external {
        _setValues();
        StorageSlot.getUint256Slot(GAS_TOKEN_RATE_SLOT).value = uint256(uint192(bytes24(msg.data[164:188])));
    }

    /// @notice The token of L1 that is the native currency, and its decimals. For ether the
    ///         address is 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE.
    function gasPayingToken() public view returns (address addr_, uint8 decimals_) {
        uint256 packed = StorageSlot.getUint256Slot(GAS_PAYING_TOKEN_SLOT).value;
        if (packed == 0) return (ETHER, 18);
        // Lowest 20 bytes, then one byte: each cast drops exactly what is the other's.
        // forge-lint: disable-next-line(unsafe-typecast)
        return (address(uint160(packed)), uint8(packed >> 160));
    }

    /// @notice What the L1 data fee is multiplied by here, in wei of the native currency for
    ///         one gwei of ether; 0 if that is ether. What L1 has not renewed in time by the
    ///         L1 block's own clock counts twice, up to the chain's highest rate.
    function gasTokenRate() external view returns (uint64) {
        (uint64 rate, uint64 until, uint64 then_) = gasTokenRateTerms();
        return timestamp < until ? rate : then_;
    }

    /// @notice The rate as L1 has set it.
    /// @return rate  Until `until`.
    /// @return until When it is stale, in seconds since 1970.
    /// @return then_ What counts from then on.
    function gasTokenRateTerms() public view returns (uint64 rate, uint64 until, uint64 then_) {
        uint256 packed = StorageSlot.getUint256Slot(GAS_TOKEN_RATE_SLOT).value;
        // Three fields of 64 bits: each cast drops exactly what is the others'.
        // forge-lint: disable-next-line(unsafe-typecast)
        return (uint64(packed >> 128), uint64(packed >> 64), uint64(packed));
    }

    /// @notice Name of the native currency.
    function gasPayingTokenName() external view returns (string memory) {
        return isCustomGasToken() ? _smallString(GAS_PAYING_TOKEN_NAME_SLOT) : "Ether";
    }

    /// @notice Symbol of the native currency.
    function gasPayingTokenSymbol() external view returns (string memory) {
        return isCustomGasToken() ? _smallString(GAS_PAYING_TOKEN_SYMBOL_SLOT) : "ETH";
    }

    /// @notice Whether the native currency is not ether.
    function isCustomGasToken() public view returns (bool) {
        (address token,) = gasPayingToken();
        return token != ETHER;
    }

    /// @notice There is no operator fee: 0.
    function operatorFeeScalar() external pure returns (uint32) {
        return 0;
    }

    /// @notice There is no operator fee: 0.
    function operatorFeeConstant() external pure returns (uint64) {
        return 0;
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "1.1.0";
    }

    /// @dev Writes what both kinds of call data begin with.
    function _setValues() internal {
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

    /// @dev The text in a slot: bytes from the high end up to the first zero.
    function _smallString(bytes32 slot) internal view returns (string memory) {
        bytes32 word = StorageSlot.getBytes32Slot(slot).value;
        uint256 length = 0;
        while (length < 32 && word[length] != 0) ++length;
        bytes memory text = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            text[i] = word[i];
        }
        return string(text);
    }
}
