// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {FastLZ} from "../libraries/FastLZ.sol";
import {L1Block} from "./L1Block.sol";
import {Predeploys} from "./Predeploys.sol";

/// @title GasPriceOracle
/// @notice Predeploy at 0x420000000000000000000000000000000000000F: what a transaction will
///         cost. Execution charges by the same formula; it knows the signature, for which
///         this contract adds 68 bytes.
/// @dev OP Stack specification, "L1 cost fees", as of Fjord. Where the native currency is a
///      token, fees are in it; the base fees of L1 are in ether everywhere.
contract GasPriceOracle {
    /// @notice The value is one of before Ecotone and exists no more.
    error Deprecated();

    /// @notice Decimals of the scalars.
    uint256 public constant DECIMALS = 6;
    /// @dev Bytes that a signature adds to a transaction, at most.
    uint256 private constant SIGNATURE_BYTES = 68;
    /// @dev Size estimate: -42.5856 + 0.8365 × FastLZ length, at least 100; in millionths.
    uint256 private constant SIZE_INTERCEPT = 42_585_600;
    uint256 private constant SIZE_SLOPE = 836_500;
    uint256 private constant SIZE_LEAST = 100_000_000;
    /// @dev L1 gas of a byte of call data.
    uint256 private constant BYTE_GAS = 16;
    /// @dev Wei of ether for which the rate of the native currency is.
    uint256 private constant RATE_UNIT = 1e9;

    /// @notice L1 data fee of a transaction, in wei.
    /// @param _data The unsigned transaction, RLP-encoded.
    function getL1Fee(bytes memory _data) external view returns (uint256) {
        return _fee(FastLZ.compressedLength(_data) + SIGNATURE_BYTES);
    }

    /// @notice Most that the L1 data fee of a transaction of this size can be, in wei.
    /// @param _unsignedTxSize Length of the unsigned transaction, in bytes.
    function getL1FeeUpperBound(uint256 _unsignedTxSize) external view returns (uint256) {
        uint256 size = _unsignedTxSize + SIGNATURE_BYTES;
        // What FastLZ cannot compress grows by one byte for every 32. The specification's
        // own bound, one in 255 and 16, is below the fee of random data.
        return _fee(size + size / 32 + 1);
    }

    /// @notice L1 gas that the transaction's estimated share of a batch would cost as call data.
    /// @param _data The unsigned transaction, RLP-encoded.
    function getL1GasUsed(bytes memory _data) external pure returns (uint256) {
        return _size(FastLZ.compressedLength(_data) + SIGNATURE_BYTES) * BYTE_GAS / 1e6;
    }

    /// @notice There is no operator fee: 0.
    function getOperatorFee(uint256) external pure returns (uint256) {
        return 0;
    }

    /// @notice Base fee of the current block in wei per gas.
    function gasPrice() external view returns (uint256) {
        return block.basefee;
    }

    /// @notice Base fee of the current block in wei per gas.
    function baseFee() external view returns (uint256) {
        return block.basefee;
    }

    /// @notice Base fee of the L1 block that is known here, in wei per gas.
    function l1BaseFee() external view returns (uint256) {
        return _l1().basefee();
    }

    /// @notice Blob base fee of the L1 block that is known here, in wei per blob gas.
    function blobBaseFee() external view returns (uint256) {
        return _l1().blobBaseFee();
    }

    /// @notice Factor of the L1 base fee, in millionths.
    function baseFeeScalar() external view returns (uint32) {
        return _l1().baseFeeScalar();
    }

    /// @notice Factor of the blob base fee, in millionths.
    function blobBaseFeeScalar() external view returns (uint32) {
        return _l1().blobBaseFeeScalar();
    }

    /// @notice What the fee in ether is multiplied by, in wei of the native currency for one
    ///         gwei of ether; 0 if that is ether.
    function gasTokenRate() external view returns (uint64) {
        return _l1().gasTokenRate();
    }

    /// @notice Always true: the fee has the parameters of Ecotone.
    function isEcotone() external pure returns (bool) {
        return true;
    }

    /// @notice Always true: the fee has the formula of Fjord.
    function isFjord() external pure returns (bool) {
        return true;
    }

    /// @notice Always false: there is no operator fee.
    function isIsthmus() external pure returns (bool) {
        return false;
    }

    /// @notice Always false: there is no operator fee.
    function isJovian() external pure returns (bool) {
        return false;
    }

    /// @notice Decimals of the scalars.
    function decimals() external pure returns (uint256) {
        return DECIMALS;
    }

    /// @notice Reverts: a parameter of before Ecotone.
    function overhead() external pure returns (uint256) {
        revert Deprecated();
    }

    /// @notice Reverts: a parameter of before Ecotone.
    function scalar() external pure returns (uint256) {
        revert Deprecated();
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "1.1.0";
    }

    /// @dev L1 data fee for a FastLZ length, in wei: rounded down in ether, then up in a token.
    function _fee(uint256 fastLZLength) private view returns (uint256) {
        L1Block l1 = _l1();
        uint256 price =
            uint256(l1.baseFeeScalar()) * BYTE_GAS * l1.basefee() + uint256(l1.blobBaseFeeScalar()) * l1.blobBaseFee();
        uint256 fee = _size(fastLZLength) * price / 1e12;
        uint256 rate = l1.gasTokenRate();
        return rate == 0 ? fee : Math.mulDiv(fee, rate, RATE_UNIT, Math.Rounding.Ceil);
    }

    /// @dev Estimated share of a batch for a FastLZ length, in millionths of a byte.
    function _size(uint256 fastLZLength) private pure returns (uint256) {
        uint256 slope = SIZE_SLOPE * fastLZLength;
        return slope < SIZE_LEAST + SIZE_INTERCEPT ? SIZE_LEAST : slope - SIZE_INTERCEPT;
    }

    function _l1() private pure returns (L1Block) {
        return L1Block(Predeploys.L1_BLOCK);
    }
}
