// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {GasPriceOracle} from "../../src/l2/GasPriceOracle.sol";
import {FastLZ} from "../../src/libraries/FastLZ.sol";
import {L2Base} from "./L2Base.sol";

/// @dev The long vectors, and the comparison with what execution charges, are in Go.
contract GasPriceOracleTest is L2Base {
    function setUp() public override {
        super.setUp();
        setPrices(7_123_456_789, 3_456_789, 1368, 810_949);
    }

    function setPrices(uint256 baseFee, uint256 blobBaseFee, uint32 scalar, uint32 blobScalar) internal {
        bytes memory head = abi.encodePacked(hex"440a5e20", scalar, blobScalar, uint64(1), uint64(2), uint64(3));
        vm.prank(l1Block.DEPOSITOR_ACCOUNT());
        (bool ok,) = address(l1Block).call(abi.encodePacked(head, baseFee, blobBaseFee, bytes32(0), bytes32(0)));
        vm.assertTrue(ok, "set");
    }

    function test_lengthsAreTheSpecifications() public pure {
        // Of op-geth's types.FlzCompressLen.
        vm.assertEq(FastLZ.compressedLength(""), 0, "nothing");
        vm.assertEq(FastLZ.compressedLength(new bytes(12)), 13, "12 zeros");
        vm.assertEq(FastLZ.compressedLength(new bytes(16)), 17, "16 zeros");
        vm.assertEq(FastLZ.compressedLength(new bytes(17)), 12, "17 zeros");
        vm.assertEq(FastLZ.compressedLength(new bytes(40)), 12, "40 zeros");
    }

    function test_smallTransactionsPayForAHundredBytes() public view {
        // 100 bytes * (16 * 1368 * base fee + 810,949 * blob base fee) / 10^12
        uint256 least =
            uint256(100_000_000) * (16 * 1368 * uint256(7_123_456_789) + 810_949 * uint256(3_456_789)) / 1e12;
        vm.assertEq(oracle.getL1Fee(""), least, "fee");
        vm.assertEq(oracle.getL1GasUsed(""), 1600, "gas");
        vm.assertEq(oracle.getL1FeeUpperBound(0), least, "bound");
    }

    /// @dev As the first transaction of a block does where the native currency is a token.
    function setRate(uint64 timestamp, uint64 rate, uint64 until, uint64 then_) internal {
        bytes memory head = abi.encodePacked(
            l1Block.setL1BlockValuesGasToken.selector, uint32(1368), uint32(810_949), uint64(1), timestamp, uint64(3)
        );
        bytes memory prices = abi.encodePacked(uint256(7_123_456_789), uint256(3_456_789), bytes32(0), bytes32(0));
        vm.prank(l1Block.DEPOSITOR_ACCOUNT());
        (bool ok,) = address(l1Block).call(abi.encodePacked(head, prices, rate, until, then_));
        vm.assertTrue(ok, "set");
    }

    function test_aTokenPaysByItsRateRoundedUp() public {
        useGasToken();
        uint256 ether_ = oracle.getL1Fee("");
        setRate(100, 1000 gwei, 200, 2000 gwei);
        vm.assertEq(oracle.gasTokenRate(), 1000 gwei, "rate");
        vm.assertEq(oracle.getL1Fee(""), ether_ * 1000, "a thousand tokens for an ether");
        vm.assertEq(oracle.getL1FeeUpperBound(0), ether_ * 1000, "bound");
        vm.assertEq(oracle.l1BaseFee(), 7_123_456_789, "L1's own fee is in ether");
        setRate(100, 1, 200, 2);
        vm.assertEq(oracle.getL1Fee(""), ether_ / 1e9 + 1, "never free");
    }

    function test_aStaleRateCountsTwiceFromItsEndOn() public {
        useGasToken();
        uint256 ether_ = oracle.getL1Fee("");
        setRate(199, 1000 gwei, 200, 2000 gwei);
        vm.assertEq(oracle.getL1Fee(""), ether_ * 1000, "before");
        setRate(200, 1000 gwei, 200, 2000 gwei);
        vm.assertEq(oracle.getL1Fee(""), ether_ * 2000, "after");
    }

    function testFuzz_theFeeIsPaidToTheWei(bytes memory data, uint64 rate) public {
        rate = uint64(bound(rate, 1, 1e18));
        uint256 ether_ = oracle.getL1Fee(data);
        useGasToken();
        setRate(100, rate, 200, rate);
        uint256 fee = oracle.getL1Fee(data);
        vm.assertTrue(fee * 1e9 >= ether_ * rate && fee * 1e9 < ether_ * rate + 1e9, "rounded up");
    }

    function test_pricesAreThoseOfL1Block() public {
        genesis.fee(77);
        vm.assertEq(oracle.l1BaseFee(), 7_123_456_789, "base fee");
        vm.assertEq(oracle.blobBaseFee(), 3_456_789, "blob base fee");
        vm.assertEq(oracle.baseFeeScalar(), 1368, "scalar");
        vm.assertEq(oracle.blobBaseFeeScalar(), 810_949, "blob scalar");
        vm.assertEq(oracle.gasPrice(), 77, "gas price");
        vm.assertEq(oracle.baseFee(), 77, "base fee");
    }

    function test_forksAndConstants() public {
        vm.assertTrue(oracle.isEcotone() && oracle.isFjord(), "fee of Fjord");
        vm.assertTrue(!oracle.isIsthmus() && !oracle.isJovian(), "no operator fee");
        vm.assertEq(oracle.getOperatorFee(21_000), 0, "operator fee");
        vm.assertEq(oracle.decimals(), 6, "decimals");
        vm.assertEq(oracle.DECIMALS(), 6, "decimals");
        vm.assertEq(bytes(oracle.version()), "1.1.0", "version");
        vm.expectRevert(abi.encodeWithSelector(GasPriceOracle.Deprecated.selector));
        oracle.overhead();
        vm.expectRevert(abi.encodeWithSelector(GasPriceOracle.Deprecated.selector));
        oracle.scalar();
    }

    /// @dev Gas of an estimate for the call data of a common transaction: what the assembly
    ///      of FastLZ is for.
    function test_gasOfAnEstimate() public view {
        bytes memory transaction = new bytes(1000);
        for (uint256 i = 0; i < 1000; i += 7) {
            // forge-lint: disable-next-line(unsafe-typecast)
            transaction[i] = bytes1(uint8(i));
        }
        uint256 before = gasleft();
        oracle.getL1Fee(transaction);
        vm.assertTrue(before - gasleft() < 1_000_000, "a thousand bytes");
    }

    function testFuzz_lengthsAreBounded(bytes memory data) public pure {
        uint256 length = FastLZ.compressedLength(data);
        vm.assertTrue(length <= data.length + data.length / 32 + 1, "expansion");
    }

    function testFuzz_theBoundIsOne(bytes memory data) public view {
        vm.assertTrue(oracle.getL1Fee(data) <= oracle.getL1FeeUpperBound(data.length), "bound");
    }
}
