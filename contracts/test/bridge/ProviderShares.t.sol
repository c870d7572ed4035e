// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {InstantExit} from "../../src/bridge/InstantExit.sol";
import {ProviderShares} from "../../src/bridge/ProviderShares.sol";
import {Dilution} from "../../src/libraries/Dilution.sol";
import {Hashing} from "../../src/libraries/Hashing.sol";
import {Types} from "../../src/libraries/Types.sol";
import {PoolWorld} from "./InstantExit.t.sol";

contract ProviderSharesTest is PoolWorld {
    address internal constant OTHER = address(0x961);
    uint256 internal nextBlock = 10;

    function setUp() public {
        deployWorld(IERC20(address(0)));
        deployPool(IERC20(address(0)));
        vm.deal(address(portal), 1000 ether);
    }

    function depart(address provider) internal returns (uint256) {
        vm.warp(block.timestamp + LOCK);
        uint256 all = pool.shares(provider);
        vm.prank(provider);
        return pool.withdraw(all);
    }

    function repay(Types.WithdrawalTransaction memory w) internal {
        settle(proveAs(USER, w, nextBlock++));
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
    }

    function about(uint256 got, uint256 want, string memory what) internal pure {
        vm.assertTrue(got <= want + 1e6 && got + 1e6 >= want, what);
    }

    /// @dev A loss that everybody knows of cannot be left to those who stay.
    function test_whoLeavesFirstBearsTheLossAsWell() public {
        provide(PROVIDER, 50 ether);
        provide(OTHER, 50 ether);
        Types.WithdrawalTransaction memory w = poolWithdrawal(0, 40 ether, 0);
        uint256 payout = exitOf(w, 50);
        bytes32 hash = Hashing.hashWithdrawal(w);
        about(depart(PROVIDER), (100 ether - payout) / 2, "half of the cash");
        about(depart(OTHER), (100 ether - payout) / 2, "the other half");
        vm.expectRevert(abi.encodeWithSelector(ProviderShares.NothingToCollect.selector, 0, hash));
        pool.collect(0, hash);

        repay(w);
        about(pool.collect(0, hash), 20 ether, "half of what came back after all");
        about(pool.collect(1, hash), 20 ether, "and the other half");
        about(PROVIDER.balance, 50 ether + (40 ether - payout) / 2, "with half of the fee");
        about(OTHER.balance, PROVIDER.balance, "like the other");
        vm.expectRevert(abi.encodeWithSelector(ProviderShares.NothingToCollect.selector, 0, hash));
        pool.collect(0, hash);
    }

    /// @dev Who comes after an advance pays for the fee that is under way.
    function test_whoComesLaterGetsNothingOfEarlierFees() public {
        provide(PROVIDER, 50 ether);
        Types.WithdrawalTransaction memory w = poolWithdrawal(0, 40 ether, 0);
        exitOf(w, 50);
        uint256 bought = provide(OTHER, 50 ether);
        about(pool.assetsRoundedDown(bought), 50 ether, "what was paid");
        repay(w);
        about(pool.assetsRoundedDown(bought), 50 ether, "no fee of others");
        about(depart(OTHER), 50 ether, "as much as came");
    }

    function test_aSliceIsOfWhatWasOpenThenAndOfNothingElse() public {
        provide(PROVIDER, 50 ether);
        provide(OTHER, 50 ether);
        Types.WithdrawalTransaction memory early = poolWithdrawal(0, 10 ether, 0);
        Types.WithdrawalTransaction memory open = poolWithdrawal(1, 10 ether, 0);
        Types.WithdrawalTransaction memory late = poolWithdrawal(2, 10 ether, 0);
        exitOf(early, 50);
        exitOf(open, 51);
        repay(early);
        depart(PROVIDER);
        exitOf(late, 52);
        repay(open);
        repay(late);
        bytes32[3] memory hashes =
            [Hashing.hashWithdrawal(early), Hashing.hashWithdrawal(late), keccak256("no advance")];
        for (uint256 i = 0; i < 3; i++) {
            vm.expectRevert(abi.encodeWithSelector(ProviderShares.NothingToCollect.selector, 0, hashes[i]));
            pool.collect(0, hashes[i]);
        }
        about(pool.collect(0, Hashing.hashWithdrawal(open)), 5 ether, "half of the open one");
        vm.assertTrue(pool.reserved() < 1e6, "nothing is left over");
        vm.assertEq(address(pool).balance, pool.cash() + pool.reserved(), "held");
    }

    function test_nobodyComesInWhileAnAdvanceIsOverdue() public {
        provide(PROVIDER, 50 ether);
        Types.WithdrawalTransaction memory w = poolWithdrawal(0, 10 ether, 0);
        exitOf(w, 50);
        bytes32 hash = Hashing.hashWithdrawal(w);
        vm.warp(block.timestamp + OVERDUE - 1);
        vm.expectRevert(abi.encodeWithSelector(InstantExit.NotOverdue.selector, hash));
        pool.markOverdue(hash);
        vm.warp(block.timestamp + 1);
        pool.markOverdue(hash);
        vm.expectRevert(abi.encodeWithSelector(InstantExit.NotOverdue.selector, hash));
        pool.markOverdue(hash);
        vm.deal(OTHER, 1 ether);
        vm.expectRevert(abi.encodeWithSelector(ProviderShares.AdvancesOverdue.selector, 1));
        vm.prank(OTHER);
        pool.deposit{value: 1 ether}(1 ether);
        repay(w);
        provide(OTHER, 1 ether);
    }

    /// @dev Whoever comes, goes and borrows in whatever order: nobody is paid more than there
    ///      is, and in the end everything is paid out.
    function testFuzz_everythingIsPaidOutAndNoMore(uint256 seed) public {
        bytes32[] memory hashes = new bytes32[](8);
        Types.WithdrawalTransaction[] memory all = new Types.WithdrawalTransaction[](8);
        uint256 paidIn;
        uint256 fees;
        for (uint256 i = 0; i < 8; i++) {
            address provider = address(uint160(0x1000 + (seed >> (8 * i)) % 3));
            uint256 amount = 1 + uint256(keccak256(abi.encode(seed, i))) % 100 ether;
            provide(provider, amount);
            paidIn += amount;
            address leaver = address(uint160(0x1000 + (seed >> (8 * i + 2)) % 3));
            if (seed >> (128 + i) & 1 == 1 && pool.shares(leaver) != 0) depart(leaver);
            if (pool.cash() < 1 ether) {
                provide(provider, 1 ether);
                paidIn += 1 ether;
            }
            all[i] = poolWithdrawal(i, pool.MIN_VALUE() + pool.cash() / 3, 0);
            hashes[i] = Hashing.hashWithdrawal(all[i]);
            fees += all[i].value - exitOf(all[i], 50 + i);
            if (i > 2 && seed >> (140 + i) & 1 == 1) repay(all[i - 3]);
        }
        for (uint160 i = 0; i < 3; i++) {
            if (pool.shares(address(0x1000 + i)) != 0) depart(address(0x1000 + i));
        }
        for (uint256 i = 0; i < 8; i++) {
            if (!portal.finalizedWithdrawals(hashes[i])) repay(all[i]);
            for (uint256 id = 0; id < pool.sliceCount(); id++) {
                try pool.collect(id, hashes[i]) {} catch {}
            }
        }
        vm.assertEq(pool.openCount(), 0, "all repaid");
        vm.assertEq(pool.outstanding(), 0, "nothing outstanding");
        uint256 out = address(0x1000).balance + address(0x1001).balance + address(0x1002).balance;
        vm.assertEq(address(pool).balance + out, paidIn + fees, "nothing comes from nowhere");
        vm.assertEq(address(pool).balance, pool.cash() + pool.reserved(), "held");
        vm.assertTrue(pool.reserved() < 1e6, "slices are paid");
    }

    function testFuzz_dilutionKeepsItsPrecision(uint256[12] memory parts) public pure {
        Dilution.Left memory whole;
        Dilution.Left memory left;
        uint256 sum;
        for (uint256 i = 0; i < parts.length; i++) {
            Dilution.Left memory next = Dilution.keep(left, 1 + parts[i] % 1e18, 1e18);
            uint256 taken = Dilution.ratio(left, whole) - Dilution.ratio(next, whole);
            vm.assertTrue(Dilution.ratio(next, next) == Dilution.ONE, "itself");
            sum += taken;
            left = next;
        }
        vm.assertEq(sum + Dilution.ratio(left, whole), Dilution.ONE, "parts and rest are the whole");
    }

    function test_dilutionOfAllButNothing() public pure {
        Dilution.Left memory whole;
        Dilution.Left memory left = Dilution.keep(whole, 1, 1e30);
        vm.assertEq(Dilution.ratio(left, whole), 1e6, "1e-30");
        Dilution.Left memory less = Dilution.keep(left, 1, 1e16);
        vm.assertEq(Dilution.ratio(less, left), 1e20, "of that 1e-16");
        vm.assertEq(Dilution.ratio(less, whole), 0, "of the whole nothing");
        Dilution.Left memory none = Dilution.keep(whole, 1, 1e40);
        vm.assertEq(Dilution.ratio(none, whole), 0, "nothing");
        vm.assertEq(Dilution.ratio(Dilution.keep(none, 1, 2), none), Dilution.ONE / 2, "and begins anew");
        none = Dilution.keep(whole, 0, 1);
        vm.assertEq(Dilution.ratio(none, whole), 0, "all taken");
    }
}
