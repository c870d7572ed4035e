// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {WETH9} from "../../src/l2/WETH9.sol";
import {L2Base, Target} from "./L2Base.sol";

contract WETH9Test is L2Base {
    function test_wrappingInEveryWay() public {
        for (uint256 way = 0; way < 3; way++) {
            vm.expectEmit(address(weth));
            emit WETH9.Deposit(ALICE, 3);
            vm.prank(ALICE);
            bool ok = true;
            if (way == 0) weth.deposit{value: 3}();
            else if (way == 1) (ok,) = address(weth).call{value: 3}("");
            else (ok,) = address(weth).call{value: 3}(hex"12345678");
            vm.assertTrue(ok, "taken");
        }
        vm.assertEq(weth.balanceOf(ALICE), 9, "balance");
        vm.assertEq(weth.totalSupply(), 9, "supply");
    }

    function test_unwrapping() public {
        vm.prank(ALICE);
        weth.deposit{value: 3}();
        vm.prank(ALICE);
        vm.assertTrue(weth.transfer(BOB, 3), "transfer");
        vm.expectEmit(address(weth));
        emit WETH9.Withdrawal(BOB, 2);
        vm.prank(BOB);
        weth.withdraw(2);
        vm.assertEq(BOB.balance, 2, "balance");
        vm.assertEq(weth.balanceOf(BOB), 1, "wrapped");
    }

    function test_nobodyUnwrapsMoreThanTheyHave() public {
        vm.prank(ALICE);
        weth.deposit{value: 3}();
        vm.expectRevert();
        vm.prank(BOB);
        weth.withdraw(1);
    }

    function test_whoRefusesKeepsTheToken() public {
        Target target = new Target();
        target.setFails(true);
        vm.prank(ALICE);
        weth.deposit{value: 3}();
        vm.prank(ALICE);
        vm.assertTrue(weth.transfer(address(target), 3), "transfer");
        vm.expectRevert(abi.encodeWithSelector(WETH9.TransferRefused.selector, address(target)));
        vm.prank(address(target));
        weth.withdraw(3);
    }

    function test_namesFollowTheNativeCurrency() public {
        vm.assertEq(bytes(weth.name()), "Wrapped Ether", "name");
        vm.assertEq(bytes(weth.symbol()), "WETH", "symbol");
        vm.assertEq(weth.decimals(), 18, "decimals");
        useGasToken();
        vm.assertEq(bytes(weth.name()), "Wrapped Talaria", "name");
        vm.assertEq(bytes(weth.symbol()), "WTLR", "symbol");
    }

    function testFuzz_supplyIsCovered(uint96[6] memory amounts) public {
        vm.deal(ALICE, type(uint128).max);
        for (uint256 i = 0; i < amounts.length; i++) {
            uint256 most = weth.balanceOf(ALICE);
            vm.prank(ALICE);
            if (i % 2 == 0) weth.deposit{value: amounts[i]}();
            else weth.withdraw(amounts[i] % (most + 1));
            vm.assertEq(weth.totalSupply(), address(weth).balance, "covered");
            vm.assertEq(weth.balanceOf(ALICE), address(weth).balance, "its own");
        }
    }
}
