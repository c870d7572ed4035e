// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MiniBlockClock} from "../../src/l2/MiniBlockClock.sol";
import {Base} from "../Base.sol";
import {GenesisVm} from "./L2Base.sol";

contract MiniBlockClockTest is Base {
    MiniBlockClock internal clock;

    function setUp() public {
        clock = new MiniBlockClock();
    }

    /// @dev What execution writes at the end of a mini-block.
    function cut(uint64 number, uint64 micros) internal {
        GenesisVm(address(vm)).store(address(clock), 0, bytes32((uint256(micros) << 64) | (uint256(number) + 1)));
    }

    function test_genesisCountsFromZero() public {
        vm.warp(1_800_000_000);
        vm.assertEq(clock.number(), 0, "number");
        vm.assertEq(clock.timestampMicros(), 1_800_000_000_000_000, "time");
    }

    function testFuzz_tellsWhatWasCut(uint64 number, uint64 micros, uint64 timestamp) public {
        vm.assume(number < type(uint64).max);
        vm.warp(timestamp);
        cut(number, micros);
        vm.assertEq(clock.number(), uint256(number) + 1, "number");
        uint256 opened = uint256(timestamp) * 1e6;
        vm.assertEq(clock.timestampMicros(), opened > micros ? opened : micros, "time");
    }

    function test_theBlockIsLaterThanTheLastCut() public {
        cut(41, 1_800_000_000_999_999);
        vm.warp(1_800_000_000);
        vm.assertEq(clock.timestampMicros(), 1_800_000_000_999_999, "within the block");
        vm.warp(1_800_000_001);
        vm.assertEq(clock.timestampMicros(), 1_800_000_001_000_000, "first of the next");
    }

    function test_nobodyWritesIt() public {
        cut(7, 9);
        (bool ok,) = address(clock).call(abi.encodeWithSignature("setTimestamp(uint256)", 1));
        vm.assertTrue(!ok, "call");
        (ok,) = address(clock).call{value: 1}("");
        vm.assertTrue(!ok, "transfer");
        vm.assertEq(clock.number(), 8, "number");
    }
}
