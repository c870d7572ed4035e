// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AddressAlias} from "../../src/libraries/AddressAlias.sol";
import {Base} from "../Base.sol";

contract AddressAliasTest is Base {
    function test_knownAliases() public pure {
        vm.assertEq(AddressAlias.toL2(address(0)), address(0x1111000000000000000000000000000000001111), "zero");
        vm.assertEq(
            AddressAlias.toL2(0xFFfFfFffFFfffFFfFFfFFFFFffFFFffffFfFFFfF),
            address(0x1111000000000000000000000000000000001110),
            "wraps around"
        );
    }

    function testFuzz_toL1InvertsToL2(address account) public pure {
        vm.assertEq(AddressAlias.toL1(AddressAlias.toL2(account)), account, "inverse");
        vm.assertTrue(AddressAlias.toL2(account) != account, "differs");
    }
}
