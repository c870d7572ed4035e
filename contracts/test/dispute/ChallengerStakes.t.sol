// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {ChallengerStakes} from "../../src/dispute/ChallengerStakes.sol";
import {HybridGame} from "../../src/dispute/HybridGame.sol";
import {GameStatus} from "../../src/interfaces/IDisputeGame.sol";
import {IDisputeVerifier} from "../../src/interfaces/IDisputeVerifier.sol";
import {World} from "../World.sol";
import {Oracle} from "./HybridGame.t.sol";

contract ChallengerStakesTest is World {
    address internal constant ATTACKER = address(0xA77);
    uint256 internal nextBlock = 1;

    function setUp() public {
        deployWorld(IERC20(address(0)));
    }

    function newClaim() internal returns (HybridGame game) {
        (game,) = claim(keccak256(abi.encode(nextBlock)), nextBlock);
        nextBlock++;
    }

    function decide(HybridGame game, Oracle oracle, bool right) internal {
        oracle.decide(address(game), right ? IDisputeVerifier.Verdict.VALID : IDisputeVerifier.Verdict.INVALID);
        game.resolve();
    }

    function useOracle() internal returns (Oracle oracle) {
        oracle = new Oracle();
        vm.prank(OWNER);
        registry.setDisputeVerifier(oracle);
    }

    /// @dev However many wrong claims there are, one stake holds them all.
    function test_oneStakeHoldsAnyNumberOfClaims() public {
        HybridGame[] memory games = new HybridGame[](120);
        for (uint256 i = 0; i < games.length; i++) {
            games[i] = newClaim();
            challenge(games[i]);
        }
        vm.assertEq(CHALLENGER.balance, 0, "paid once");
        vm.assertEq(stakes.stakeCount(), 1, "one stake");
        vm.assertTrue(games.length * BOND > STAKE, "for less than the claims took");
        vm.warp(START + 3650 days);
        for (uint256 i = 0; i < games.length; i++) {
            vm.expectRevert(HybridGame.Undecided.selector);
            games[i].resolve();
            vm.assertTrue(!registry.isGameClaimValid(games[i]), "valid");
        }
    }

    function test_aStakeIsOneAmountAndOneAtATime() public {
        vm.deal(USER, 100 ether);
        vm.startPrank(USER);
        vm.expectRevert(abi.encodeWithSelector(ChallengerStakes.WrongAmount.selector, STAKE - 1, STAKE));
        stakes.stake{value: STAKE - 1}();
        vm.assertEq(stakes.stake{value: STAKE}(), 1, "id");
        vm.expectRevert(abi.encodeWithSelector(ChallengerStakes.AlreadyStaked.selector, 1));
        stakes.stake{value: STAKE}();
        stakes.takeBack(1);
        vm.expectRevert(abi.encodeWithSelector(ChallengerStakes.NotYours.selector, 1));
        stakes.takeBack(1);
        vm.stopPrank();
        vm.assertTrue(!stakes.mayChallenge(USER), "taken back");
        vm.warp(START + BOND_DELAY);
        vault.withdraw(0);
        vm.assertEq(USER.balance, 100 ether, "whole");
        vm.assertEq(stakes.version(), "1.0.0", "version");
    }

    function test_aStakeStaysWhileItHoldsAClaim() public {
        HybridGame game = newClaim();
        challenge(game);
        vm.startPrank(CHALLENGER);
        vm.expectRevert(abi.encodeWithSelector(ChallengerStakes.StillHolding.selector, 1, 1));
        stakes.takeBack(1);
        vm.stopPrank();
        Oracle oracle = useOracle();
        vm.warp(START + WINDOW);
        decide(game, oracle, false);
        vm.prank(CHALLENGER);
        stakes.takeBack(1);
        vm.warp(block.timestamp + BOND_DELAY);
        vault.withdraw(0);
        vault.withdraw(1);
        vm.assertEq(CHALLENGER.balance, STAKE + BOND / 2, "the stake and half of the wrong claim's bond");
    }

    /// @dev The half that nobody gets is more than what claims of the challenger's own bring back.
    function test_whoHoldsARightClaimLosesTheStake() public {
        HybridGame[] memory games = new HybridGame[](60);
        for (uint256 i = 0; i < games.length; i++) {
            games[i] = newClaim();
            challengeAs(ATTACKER, games[i]);
        }
        Oracle oracle = useOracle();
        vm.warp(START + WINDOW);
        decide(games[0], oracle, true);
        vm.expectRevert(abi.encodeWithSelector(ChallengerStakes.StakeLost.selector, 1));
        vm.prank(ATTACKER);
        stakes.takeBack(1);
        vm.assertTrue(!stakes.mayChallenge(ATTACKER), "no more challenges");
        for (uint256 i = 1; i < games.length; i++) {
            decide(games[i], oracle, true);
        }
        vm.warp(block.timestamp + BOND_DELAY);
        for (uint256 i = 0; i < vault.releaseCount(); i++) {
            vault.withdraw(i);
        }
        vm.assertEq(PROPOSER.balance, games.length * BOND + STAKE / 2, "bonds, and half of the stake among them");
        vm.assertEq(address(stakes).balance, STAKE - STAKE / 2, "the other half is nobody's");
    }

    function test_theGuardianBarsOneStakeInAPeriod() public {
        challengeAs(ATTACKER, newClaim());
        stakeAs(CHALLENGER);
        vm.expectRevert(abi.encodeWithSelector(ChallengerStakes.NotGuardian.selector, address(this)));
        stakes.bar(1);
        HybridGame held = newClaim();
        challengeAs(ATTACKER, held);
        HybridGame next = newClaim();
        vm.startPrank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(ChallengerStakes.NothingToBar.selector, 9));
        stakes.bar(9);
        stakes.bar(1);
        vm.expectRevert(abi.encodeWithSelector(ChallengerStakes.TooSoon.selector, START + BAR_PERIOD));
        stakes.bar(2);
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(ChallengerStakes.NoStake.selector, ATTACKER));
        vm.prank(ATTACKER);
        next.challenge(0);

        vm.warp(START + BAR_PERIOD);
        vm.startPrank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(ChallengerStakes.NothingToBar.selector, 1));
        stakes.bar(1);
        stakes.bar(2);
        vm.stopPrank();
        vm.warp(START + WINDOW);
        vm.assertTrue(next.resolve() == GameStatus.DEFENDER_WINS, "what it did not hold goes on");
        vm.expectRevert(HybridGame.Undecided.selector);
        held.resolve();
        challengeAs(ATTACKER, newClaim());
        vm.assertEq(stakes.stakeOf(ATTACKER), 3, "another stake");
    }

    /// @dev A guardian who works with an attacker bars one stake; the same challenger goes on
    ///      with another.
    function test_barringDoesNotGetAWrongClaimThrough() public {
        HybridGame wrong = newClaim();
        stakeAs(CHALLENGER);
        vm.prank(GUARDIAN);
        stakes.bar(1);
        challengeAs(CHALLENGER, wrong);
        vm.assertEq(stakes.stakeOf(CHALLENGER), 2, "another stake");
        vm.warp(START + WINDOW);
        vm.expectRevert(HybridGame.Undecided.selector);
        wrong.resolve();
    }

    function test_onlyGamesHoldAndDecide() public {
        stakeAs(USER);
        FalseGame game = new FalseGame();
        vm.expectRevert(abi.encodeWithSelector(ChallengerStakes.NotAGame.selector, address(game)));
        game.hold(stakes, USER);
        vm.expectRevert(abi.encodeWithSelector(ChallengerStakes.NotAGame.selector, address(this)));
        stakes.decide(false, address(this), 1);
    }

    function test_getters() public view {
        vm.assertEq(stakes.AMOUNT(), STAKE, "amount");
        vm.assertEq(stakes.BAR_PERIOD(), BAR_PERIOD, "period");
        vm.assertEq(address(stakes.REGISTRY()), address(registry), "registry");
        vm.assertEq(address(stakes.VAULT()), address(vault), "vault");
    }
}

/// @notice Says that it is a game that the factory did not make.
contract FalseGame {
    function gameData() external pure returns (uint32, bytes32, bytes memory) {
        return (7411, bytes32(uint256(1)), abi.encode(1));
    }

    function hold(ChallengerStakes stakes, address challenger) external {
        stakes.hold(challenger);
    }
}
