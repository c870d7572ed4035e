// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {AnchorStateRegistry} from "../../src/dispute/AnchorStateRegistry.sol";
import {DisputeGameFactory} from "../../src/dispute/DisputeGameFactory.sol";
import {HybridGame} from "../../src/dispute/HybridGame.sol";
import {IDisputeVerifier} from "../../src/interfaces/IDisputeVerifier.sol";
import {Pause} from "../../src/rollup/Pause.sol";
import {World} from "../World.sol";

contract AnchorStateRegistryTest is World {
    bytes32 internal constant ROOT = keccak256("root");

    function setUp() public {
        deployWorld(IERC20(address(0)));
    }

    function test_aClaimBecomesValidInSteps() public {
        (HybridGame game,) = claim(ROOT, 5);
        vm.assertTrue(registry.isGameRegistered(game) && registry.isGameProper(game), "proper");
        vm.assertTrue(registry.isGameRespected(game) && !registry.isGameResolved(game), "respected, not resolved");
        vm.warp(START + WINDOW);
        game.resolve();
        vm.assertTrue(registry.isGameResolved(game) && !registry.isGameFinalized(game), "resolved, not final");
        vm.warp(START + WINDOW + FINALITY);
        vm.assertTrue(!registry.isGameFinalized(game), "final too early");
        vm.warp(START + WINDOW + FINALITY + 1);
        vm.assertTrue(registry.isGameFinalized(game) && registry.isGameClaimValid(game), "valid");
        vm.assertEq(registry.disputeGameFinalityDelaySeconds(), FINALITY, "delay");
        vm.assertEq(address(registry.disputeGameFactory()), address(factory), "factory");
        vm.assertEq(registry.version(), "3.2.0", "version");
    }

    function test_theAnchorFollowsValidClaims() public {
        (HybridGame first,) = claim(ROOT, 5);
        (HybridGame second,) = claim(ROOT, 9);
        vm.expectRevert(AnchorStateRegistry.AnchorStateRegistry_InvalidAnchorGame.selector);
        registry.setAnchorState(first);
        vm.warp(START + WINDOW);
        first.resolve();
        second.resolve();
        vm.warp(START + WINDOW + FINALITY + 1);
        registry.setAnchorState(second);
        (bytes32 root, uint256 number) = registry.getAnchorRoot();
        vm.assertTrue(root == ROOT && number == 9, "anchor");
        vm.assertEq(registry.anchorGame(), address(second), "anchor game");
        vm.expectRevert(AnchorStateRegistry.AnchorStateRegistry_InvalidAnchorGame.selector);
        registry.setAnchorState(first);
        vm.deal(USER, BOND);
        vm.expectRevert(abi.encodeWithSelector(HybridGame.NotAfterAnchor.selector, 9, 9));
        vm.prank(USER);
        factory.create{value: BOND}(GAME_TYPE, keccak256("other"), abi.encode(9));
    }

    function test_aVoidedAnchorGivesWayToTheOneBefore() public {
        HybridGame[3] memory games;
        for (uint256 i = 0; i < 3; i++) {
            (games[i],) = claim(keccak256(abi.encode(i)), 5 + i);
        }
        vm.warp(START + WINDOW);
        for (uint256 i = 0; i < 3; i++) {
            games[i].resolve();
        }
        vm.warp(START + WINDOW + FINALITY + 1);
        for (uint256 i = 0; i < 3; i++) {
            registry.setAnchorState(games[i]);
        }
        vm.startPrank(GUARDIAN);
        pause.pause();
        registry.blacklistDisputeGame(address(games[2]));
        vm.stopPrank();
        (bytes32 root, uint256 number) = registry.getAnchorRoot();
        vm.assertTrue(root == games[1].rootClaim() && number == 6, "the one before");
        vm.assertEq(registry.anchorGame(), address(games[1]), "anchor game");
        (HybridGame again,) = claim(ROOT, 7);
        vm.expectRevert(AnchorStateRegistry.AnchorStateRegistry_InvalidAnchorGame.selector);
        registry.setAnchorState(games[2]);

        vm.warp(block.timestamp + 1);
        vm.prank(GUARDIAN);
        registry.updateRetirementTimestamp();
        (root, number) = registry.getAnchorRoot();
        vm.assertTrue(root == 0 && number == 0 && registry.anchorGame() == address(0), "none");
        vm.assertTrue(registry.isGameRetired(again), "all of that age");
    }

    function test_gamesAreVoidedOnlyByTheGuardian() public {
        (HybridGame game,) = claim(ROOT, 5);
        vm.expectRevert(AnchorStateRegistry.NotVoiding.selector);
        vm.prank(GUARDIAN);
        registry.updateRetirementTimestamp();
        vm.prank(GUARDIAN);
        pause.pause();
        vm.expectRevert(abi.encodeWithSelector(AnchorStateRegistry.NotGuardian.selector, OWNER));
        vm.prank(OWNER);
        registry.blacklistDisputeGame(address(game));

        vm.prank(GUARDIAN);
        registry.blacklistDisputeGame(address(game));
        vm.assertTrue(registry.isGameBlacklisted(game) && !registry.isGameProper(game), "voided");
        vm.assertTrue(portal.disputeGameBlacklist(address(game)), "the portal's view");
    }

    /// Else a guardian could hold exits up for ever, without ever pausing them for long.
    function test_allGamesAreVoidedInTheFirstPauseOfAPeriodOnly() public {
        (HybridGame game,) = claim(ROOT, 5);
        (HybridGame other,) = claim(ROOT, 6);
        vm.startPrank(GUARDIAN);
        pause.pause();
        registry.updateRetirementTimestamp();
        pause.unpause();
        vm.assertTrue(!pause.voiding(), "after the pause");
        pause.pause();
        vm.assertTrue(pause.paused() && !pause.voiding(), "in the second pause of the period");
        vm.expectRevert(AnchorStateRegistry.NotVoiding.selector);
        registry.updateRetirementTimestamp();
        registry.blacklistDisputeGame(address(other));
        vm.expectRevert(AnchorStateRegistry.NotVoiding.selector);
        registry.blacklistDisputeGame(address(game));
        vm.warp(pause.periodEnd());
        pause.pause();
        registry.blacklistDisputeGame(address(game));
        vm.stopPrank();
    }

    /// A wrong claim that nobody challenged, made when the pauses of the period are used up.
    function test_aWrongClaimIsVoidedWhenNoPauseIsLeft() public {
        vm.prank(GUARDIAN);
        pause.pause();
        vm.warp(START + PAUSE_DURATION);
        (HybridGame wrong,) = claim(ROOT, 5);
        vm.warp(block.timestamp + WINDOW);
        wrong.resolve();
        vm.warp(block.timestamp + FINALITY);
        vm.startPrank(GUARDIAN);
        vm.expectPartialRevert(Pause.BudgetSpent.selector);
        pause.pause();
        registry.blacklistDisputeGame(address(wrong));
        vm.stopPrank();
        vm.warp(block.timestamp + 1);
        vm.assertTrue(registry.isGameFinalized(wrong) && !registry.isGameClaimValid(wrong), "voided");
    }

    /// Of claims made together, the guardian voids one; the others become valid.
    function test_oneGameIsVoidedOutsidePausesAndNoneThatIsFinal() public {
        (HybridGame first,) = claim(ROOT, 5);
        (HybridGame second,) = claim(ROOT, 6);
        vm.prank(GUARDIAN);
        registry.blacklistDisputeGame(address(first));
        vm.assertEq(registry.nextVoid(), START + registry.VOID_PERIOD(), "next");
        vm.warp(START + WINDOW);
        second.resolve();
        vm.warp(START + WINDOW + FINALITY);
        vm.expectRevert(AnchorStateRegistry.NotVoiding.selector);
        vm.prank(GUARDIAN);
        registry.blacklistDisputeGame(address(second));
        vm.warp(START + WINDOW + FINALITY + 1);
        vm.assertTrue(registry.isGameClaimValid(second), "valid");

        vm.warp(registry.nextVoid() - 1);
        (HybridGame third,) = claim(ROOT, 7);
        vm.expectRevert(AnchorStateRegistry.NotVoiding.selector);
        vm.prank(GUARDIAN);
        registry.blacklistDisputeGame(address(third));
        vm.warp(registry.nextVoid());
        vm.expectRevert(AnchorStateRegistry.NotVoiding.selector);
        vm.prank(GUARDIAN);
        registry.blacklistDisputeGame(address(second)); // final
        vm.prank(GUARDIAN);
        registry.blacklistDisputeGame(address(third));
        vm.assertTrue(!registry.isGameProper(third) && registry.isGameClaimValid(second), "one of them");
    }

    function test_retirementVoidsWhatExists() public {
        (HybridGame old,) = claim(ROOT, 5);
        vm.startPrank(GUARDIAN);
        pause.pause();
        registry.updateRetirementTimestamp();
        vm.stopPrank();
        vm.assertEq(portal.respectedGameTypeUpdatedAt(), START, "the portal's view");
        vm.warp(START + 1);
        (HybridGame young,) = claim(ROOT, 6);
        vm.assertTrue(registry.isGameRetired(old) && !registry.isGameProper(old), "old");
        vm.assertTrue(!registry.isGameRetired(young) && registry.isGameProper(young), "young");
    }

    function test_onlyTheOwnerChangesTheRespectedType() public {
        (HybridGame before,) = claim(ROOT, 5);
        vm.expectRevert();
        vm.prank(GUARDIAN);
        registry.setRespectedGameType(1);
        vm.expectRevert();
        vm.prank(GUARDIAN);
        registry.setDisputeVerifier(IDisputeVerifier(address(1)));
        vm.prank(OWNER);
        registry.setRespectedGameType(1);
        (HybridGame afterwards,) = claim(ROOT, 6);
        vm.assertTrue(registry.isGameRespected(before) && !registry.isGameRespected(afterwards), "respected");
        vm.assertEq(portal.respectedGameType(), 1, "the portal's view");
    }

    function test_aGameOfAnotherFactoryIsNotProper() public {
        HybridGame impl = gameImpl;
        DisputeGameFactory other = DisputeGameFactory(
            proxied(
                address(new DisputeGameFactory()),
                abi.encodeCall(DisputeGameFactory.initialize, (OWNER, GAME_TYPE, address(impl), 0))
            )
        );
        vm.expectRevert(abi.encodeWithSelector(HybridGame.NotFactory.selector, address(other)));
        other.create(GAME_TYPE, ROOT, abi.encode(5));
        claim(ROOT, 5);
        Impostor impostor = new Impostor(ROOT);
        vm.assertTrue(!registry.isGameRegistered(HybridGame(address(impostor))), "impostor");
    }
}

/// @notice Says that it is a game that exists.
contract Impostor {
    bytes32 internal immutable ROOT;

    constructor(bytes32 root) {
        ROOT = root;
    }

    function gameData() external view returns (uint32, bytes32, bytes memory) {
        return (7411, ROOT, abi.encode(5));
    }
}
