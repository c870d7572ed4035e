// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {Pause} from "../../src/rollup/Pause.sol";
import {World} from "../World.sol";

contract PauseTest is World {
    function setUp() public {
        deployWorld(IERC20(address(0)));
    }

    function test_aPauseEndsByItself() public {
        vm.assertTrue(!pause.paused(), "paused at first");
        vm.prank(GUARDIAN);
        pause.pause();
        vm.assertTrue(pause.paused() && portal.paused() && registry.paused(), "paused everywhere");
        vm.assertTrue(messenger.paused() && bridge.paused(), "messages paused");
        vm.assertEq(pause.expiration(), START + PAUSE_DURATION, "expiration");
        vm.warp(START + PAUSE_DURATION - 1);
        vm.assertTrue(pause.paused(), "paused to the end");
        vm.warp(START + PAUSE_DURATION);
        vm.assertTrue(!pause.paused(), "over");
    }

    function test_aSpentBudgetComesBackWithTheNextPeriod() public {
        vm.prank(GUARDIAN);
        pause.pause();
        vm.warp(START + PAUSE_DURATION);
        vm.expectRevert(abi.encodeWithSelector(Pause.BudgetSpent.selector, START + PAUSE_PERIOD));
        vm.prank(GUARDIAN);
        pause.pause();
        vm.warp(START + PAUSE_PERIOD);
        vm.prank(GUARDIAN);
        pause.pause();
        vm.assertTrue(pause.paused(), "paused again");
    }

    function test_whatIsLeftOfALiftedPauseMayBeUsed() public {
        vm.prank(GUARDIAN);
        pause.pause();
        vm.warp(START + 1 days);
        vm.prank(GUARDIAN);
        pause.unpause();
        vm.assertTrue(!pause.paused(), "lifted");
        vm.warp(START + 10 days);
        vm.prank(GUARDIAN);
        pause.pause();
        vm.assertEq(pause.expiration(), START + 12 days, "two days were left");
    }

    function test_onlyTheGuardianPauses() public {
        vm.expectRevert(abi.encodeWithSelector(Pause.NotGuardian.selector, USER));
        vm.prank(USER);
        pause.pause();
        vm.expectRevert(abi.encodeWithSelector(Pause.NotGuardian.selector, USER));
        vm.prank(USER);
        pause.unpause();
        vm.expectRevert(Pause.NotPaused.selector);
        vm.prank(GUARDIAN);
        pause.unpause();
    }

    function test_onlyTheOwnerNamesTheGuardian() public {
        vm.prank(OWNER);
        pause.setGuardian(USER);
        vm.assertEq(pause.guardian(), USER, "guardian");
        vm.expectRevert();
        vm.prank(GUARDIAN);
        pause.setGuardian(GUARDIAN);
        vm.assertEq(pause.version(), "1.0.0", "version");
    }

    function test_durationsMustLeaveHalfOpen() public {
        vm.expectRevert(abi.encodeWithSelector(Pause.BadDurations.selector, 0, 10));
        new Pause(0, 10);
        vm.expectRevert(abi.encodeWithSelector(Pause.BadDurations.selector, 6, 11));
        new Pause(6, 11);
        new Pause(5, 10);
    }

    /// @dev Whatever the guardian does, no period has more than the budget of pause.
    function testFuzz_noPeriodHasMorePauseThanItsBudget(uint32[12] calldata waits, uint16 choices) public {
        uint256 pausedFor;
        uint256 period = START; // when the current period began
        for (uint256 i = 0; i < waits.length; i++) {
            vm.startPrank(GUARDIAN);
            bool isPause = (choices >> i) & 1 == 0;
            uint256 end = pause.periodEnd();
            if (isPause) {
                try pause.pause() {
                    if (pause.periodEnd() != end) {
                        period = block.timestamp;
                        pausedFor = 0;
                    }
                } catch {}
            } else {
                try pause.unpause() {} catch {}
            }
            vm.stopPrank();
            uint256 step = bound(waits[i], 0, 4 days);
            uint256 until = pause.expiration();
            if (until > block.timestamp) pausedFor += until - block.timestamp < step ? until - block.timestamp : step;
            vm.warp(block.timestamp + step);
            vm.assertTrue(pausedFor <= PAUSE_DURATION, "paused too long");
            vm.assertTrue(pause.expiration() <= block.timestamp + PAUSE_DURATION, "paused too far ahead");
        }
    }
}
