// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {L1Block} from "../../src/l2/L1Block.sol";
import {Base} from "../Base.sol";
import {L2Base} from "./L2Base.sol";

contract L1BlockTest is Base {
    address internal constant DEPOSITOR = 0xDeaDDEaDDeAdDeAdDEAdDEaddeAddEAdDEAd0001;

    struct Values {
        uint32 baseFeeScalar;
        uint32 blobBaseFeeScalar;
        uint64 sequenceNumber;
        uint64 timestamp;
        uint64 number;
        uint256 basefee;
        uint256 blobBaseFee;
        bytes32 hash;
        bytes32 batcherHash;
    }

    L1Block internal l1Block;

    function setUp() public {
        l1Block = new L1Block();
    }

    function pack(Values memory v) internal pure returns (bytes memory) {
        bytes memory head = abi.encodePacked(
            hex"440a5e20", v.baseFeeScalar, v.blobBaseFeeScalar, v.sequenceNumber, v.timestamp, v.number
        );
        return abi.encodePacked(head, v.basefee, v.blobBaseFee, v.hash, v.batcherHash);
    }

    function check(Values memory v) internal view {
        vm.assertEq(l1Block.number(), v.number, "number");
        vm.assertEq(l1Block.timestamp(), v.timestamp, "timestamp");
        vm.assertEq(l1Block.basefee(), v.basefee, "basefee");
        vm.assertEq(l1Block.hash(), v.hash, "hash");
        vm.assertEq(l1Block.sequenceNumber(), v.sequenceNumber, "sequence number");
        vm.assertEq(l1Block.blobBaseFeeScalar(), v.blobBaseFeeScalar, "blob base fee scalar");
        vm.assertEq(l1Block.baseFeeScalar(), v.baseFeeScalar, "base fee scalar");
        vm.assertEq(l1Block.batcherHash(), v.batcherHash, "batcher hash");
        vm.assertEq(l1Block.blobBaseFee(), v.blobBaseFee, "blob base fee");
        vm.assertEq(l1Block.l1FeeOverhead() + l1Block.l1FeeScalar(), 0, "parameters before Ecotone");
    }

    function test_selectorIsThatOfTheSpecification() public pure {
        vm.assertTrue(L1Block.setL1BlockValuesEcotone.selector == 0x440a5e20, "selector");
    }

    function test_attributesOfABlock() public {
        Values memory v = Values({
            baseFeeScalar: 1368,
            blobBaseFeeScalar: 810_949,
            sequenceNumber: 3,
            timestamp: 1_700_000_000,
            number: 19_000_000,
            basefee: 30 gwei,
            blobBaseFee: 1,
            hash: keccak256("L1 block"),
            batcherHash: bytes32(uint256(0xBA7C4))
        });
        vm.prank(DEPOSITOR);
        (bool ok,) = address(l1Block).call(pack(v));
        vm.assertTrue(ok, "set");
        check(v);
    }

    function test_othersAreRefused() public {
        Values memory v;
        bytes memory data = pack(v);
        (bool ok, bytes memory reason) = address(l1Block).call(data);
        vm.assertTrue(!ok, "refused");
        vm.assertEq(reason, abi.encodeWithSelector(L1Block.NotDepositor.selector), "reason");
    }

    function test_shortDataIsRefused() public {
        Values memory v;
        bytes memory data = pack(v);
        bytes memory cut = new bytes(data.length - 1);
        for (uint256 i = 0; i < cut.length; i++) {
            cut[i] = data[i];
        }
        vm.prank(DEPOSITOR);
        (bool ok,) = address(l1Block).call(cut);
        vm.assertTrue(!ok, "refused");
    }

    function testFuzz_valuesAreReadBack(Values memory first, Values memory second) public {
        vm.prank(DEPOSITOR);
        (bool ok,) = address(l1Block).call(pack(first));
        vm.assertTrue(ok, "first");
        check(first);
        vm.prank(DEPOSITOR);
        (ok,) = address(l1Block).call(pack(second));
        vm.assertTrue(ok, "second");
        check(second);
    }

    function testFuzz_packedSlots(Values memory v) public {
        vm.prank(DEPOSITOR);
        (bool ok,) = address(l1Block).call(pack(v));
        vm.assertTrue(ok, "set");
        uint256 slot0 = (uint256(v.timestamp) << 64) | v.number;
        uint256 slot3 = (uint256(v.baseFeeScalar) << 96) | (uint256(v.blobBaseFeeScalar) << 64) | v.sequenceNumber;
        vm.assertEq(vm.load(address(l1Block), bytes32(uint256(0))), bytes32(slot0), "slot 0");
        vm.assertEq(vm.load(address(l1Block), bytes32(uint256(3))), bytes32(slot3), "slot 3");
        vm.assertEq(vm.load(address(l1Block), bytes32(uint256(4))), v.batcherHash, "slot 4");
        vm.assertEq(vm.load(address(l1Block), bytes32(uint256(7))), bytes32(v.blobBaseFee), "slot 7");
    }

    function test_nativeCurrencyIsEther() public view {
        (address token, uint8 decimals) = l1Block.gasPayingToken();
        vm.assertEq(token, 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE, "token");
        vm.assertEq(decimals, 18, "decimals");
        vm.assertEq(bytes(l1Block.gasPayingTokenName()), "Ether", "name");
        vm.assertEq(bytes(l1Block.gasPayingTokenSymbol()), "ETH", "symbol");
        vm.assertTrue(!l1Block.isCustomGasToken(), "not custom");
        vm.assertEq(l1Block.operatorFeeScalar() + l1Block.operatorFeeConstant(), 0, "operator fee");
        vm.assertEq(bytes(l1Block.version()), "1.1.0", "version");
    }
}

contract L1BlockWithAGasTokenTest is L2Base {
    function attributes(uint64 timestamp) internal view returns (bytes memory) {
        bytes memory head = abi.encodePacked(
            l1Block.setL1BlockValuesGasToken.selector, uint32(1), uint32(2), uint64(3), timestamp, uint64(5)
        );
        bytes memory tail = abi.encodePacked(uint64(70), uint64(80), uint64(90));
        return abi.encodePacked(head, uint256(6), uint256(7), bytes32(uint256(8)), bytes32(uint256(9)), tail);
    }

    function test_theRateComesWithTheAttributes() public {
        vm.startPrank(l1Block.DEPOSITOR_ACCOUNT());
        (bool ok,) = address(l1Block).call(attributes(79));
        vm.assertTrue(ok, "set");
        vm.assertEq(l1Block.gasTokenRate(), 70, "while it holds");
        (ok,) = address(l1Block).call(attributes(80));
        vm.assertTrue(ok, "set again");
        vm.stopPrank();
        vm.assertEq(l1Block.gasTokenRate(), 90, "when it is stale");
        (uint64 rate, uint64 until, uint64 then_) = l1Block.gasTokenRateTerms();
        vm.assertTrue(rate == 70 && until == 80 && then_ == 90, "terms");
        vm.assertEq(l1Block.number(), 5, "number");
        vm.assertEq(l1Block.blobBaseFee(), 7, "blob base fee");
        vm.assertEq(l1Block.batcherHash(), bytes32(uint256(9)), "batcher");
        vm.assertTrue(L1Block.setL1BlockValuesGasToken.selector == 0xc5a67541, "selector");
    }

    function test_onlyTheDepositorSetsTheRate() public {
        (bool ok, bytes memory reason) = address(l1Block).call(attributes(79));
        vm.assertTrue(!ok, "refused");
        vm.assertEq(reason, abi.encodeWithSelector(L1Block.NotDepositor.selector), "reason");
        bytes memory data = attributes(79);
        bytes memory cut = new bytes(data.length - 1);
        for (uint256 i = 0; i < cut.length; i++) {
            cut[i] = data[i];
        }
        vm.prank(l1Block.DEPOSITOR_ACCOUNT());
        (ok,) = address(l1Block).call(cut);
        vm.assertTrue(!ok, "short data");
    }

    function test_nativeCurrencyIsWhatGenesisSays() public {
        useGasToken();
        (address token, uint8 decimals) = l1Block.gasPayingToken();
        vm.assertEq(token, address(0x7013), "token");
        vm.assertEq(decimals, 6, "decimals");
        vm.assertEq(bytes(l1Block.gasPayingTokenName()), "Talaria", "name");
        vm.assertEq(bytes(l1Block.gasPayingTokenSymbol()), "TLR", "symbol");
        vm.assertTrue(l1Block.isCustomGasToken(), "custom");
        // forge-lint: disable-next-line(unsafe-typecast)
        genesis.store(address(l1Block), GAS_TOKEN_NAME_SLOT, bytes32("a name as long as a word may be."));
        vm.assertEq(bytes(l1Block.gasPayingTokenName()), "a name as long as a word may be.", "no zero at the end");
    }
}
