// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {BondVault} from "../../src/dispute/BondVault.sol";
import {ChallengerStakes} from "../../src/dispute/ChallengerStakes.sol";
import {HybridGame} from "../../src/dispute/HybridGame.sol";
import {GameStatus} from "../../src/interfaces/IDisputeGame.sol";
import {IDisputeVerifier} from "../../src/interfaces/IDisputeVerifier.sol";
import {World} from "../World.sol";
import {Impostor} from "./AnchorStateRegistry.t.sol";

/// @notice A verifier that says what it is told.
contract Oracle is IDisputeVerifier {
    mapping(address game => Verdict) public verdict;

    function decide(address game, Verdict v) external {
        verdict[game] = v;
    }
}

/// @notice Takes no ether.
contract Refuser {}

contract HybridGameTest is World {
    bytes32 internal constant ROOT = keccak256("root");
    Oracle internal oracle;

    function setUp() public {
        deployWorld(IERC20(address(0)));
        oracle = new Oracle();
    }

    function test_aGameKnowsItsClaim() public {
        vm.roll(200);
        (HybridGame game,) = claim(ROOT, 42);
        vm.assertEq(game.rootClaim(), ROOT, "root");
        vm.assertEq(game.l2BlockNumber(), 42, "number");
        vm.assertEq(game.l2SequenceNumber(), 42, "sequence number");
        vm.assertEq(game.extraData(), abi.encode(42), "extra data");
        vm.assertEq(game.gameCreator(), PROPOSER, "creator");
        vm.assertEq(game.gameType(), 7411, "type");
        vm.assertEq(game.l1Head(), blockhash(199), "L1 head");
        vm.assertEq(game.createdAt(), START, "created");
        vm.assertEq(game.resolvedAt(), 0, "resolved");
        vm.assertEq(game.challengeWindow(), WINDOW, "window");
        vm.assertTrue(game.wasRespectedGameTypeWhenCreated(), "respected");
        vm.assertTrue(game.status() == GameStatus.IN_PROGRESS, "status");
        (uint32 gameType, bytes32 root, bytes memory extra) = game.gameData();
        vm.assertTrue(gameType == 7411 && root == ROOT && keccak256(extra) == keccak256(abi.encode(42)), "data");
        vm.assertEq(game.version(), "2.1.0", "version");
        vm.assertEq(vault.locked(address(game)), BOND, "bond");
    }

    function test_anUnchallengedClaimIsValidAfterTheWindow() public {
        (HybridGame game,) = claim(ROOT, 42);
        vm.warp(START + WINDOW - 1);
        vm.expectRevert(abi.encodeWithSelector(HybridGame.WindowOpen.selector, START + WINDOW));
        game.resolve();
        vm.warp(START + WINDOW);
        vm.assertTrue(game.resolve() == GameStatus.DEFENDER_WINS, "status");
        vm.assertEq(game.resolvedAt(), START + WINDOW, "resolved at");
        vm.expectRevert(HybridGame.AlreadyResolved.selector);
        game.resolve();
        vm.expectRevert(HybridGame.AlreadyResolved.selector);
        game.challenge(0);

        vm.expectRevert(abi.encodeWithSelector(BondVault.NotYet.selector, 0, START + WINDOW + BOND_DELAY));
        vault.withdraw(0);
        vm.warp(START + WINDOW + BOND_DELAY);
        vault.withdraw(0);
        vm.assertEq(PROPOSER.balance, BOND, "bond returned");
        vm.expectRevert(abi.encodeWithSelector(BondVault.NothingToPay.selector, 0));
        vault.withdraw(0);
    }

    function test_aChallengeNeedsTimeStakeAndAnotherRoot() public {
        (HybridGame game,) = claim(ROOT, 42);
        vm.expectRevert(abi.encodeWithSelector(ChallengerStakes.NoStake.selector, USER));
        vm.prank(USER);
        game.challenge(0);
        stakeAs(USER);
        vm.startPrank(USER);
        vm.expectRevert(HybridGame.SameClaim.selector);
        game.challenge(ROOT);
        vm.warp(START + WINDOW - 1);
        game.challenge(keccak256("other"));
        vm.assertEq(game.challenger(), USER, "challenger");
        vm.assertEq(game.counterClaim(), keccak256("other"), "counter-claim");
        vm.assertEq(vault.locked(address(game)), BOND, "bond");
        vm.expectRevert(abi.encodeWithSelector(HybridGame.AlreadyChallenged.selector, USER));
        game.challenge(0);
        vm.stopPrank();

        (HybridGame late,) = claim(ROOT, 43);
        vm.warp(block.timestamp + WINDOW);
        vm.expectRevert(abi.encodeWithSelector(HybridGame.WindowClosed.selector, uint64(block.timestamp)));
        late.challenge(0);
    }

    function test_aClaimIsNotBeyondTheChain() public {
        uint256 highest = uint256(START - CHAIN_START) * 1000;
        vm.deal(USER, 1 ether);
        vm.expectRevert(abi.encodeWithSelector(HybridGame.BeyondTheChain.selector, highest + 1, highest));
        vm.prank(USER);
        factory.create{value: BOND}(GAME_TYPE, ROOT, abi.encode(highest + 1));
        claim(ROOT, highest);
    }

    function test_aChallengedClaimStaysUndecidedWithoutAVerdict() public {
        (HybridGame game,) = claim(ROOT, 42);
        challenge(game);
        vm.warp(START + 3650 days);
        vm.expectRevert(HybridGame.Undecided.selector);
        game.resolve();
        vm.prank(OWNER);
        registry.setDisputeVerifier(oracle);
        vm.expectRevert(HybridGame.Undecided.selector);
        game.resolve();
        vm.assertTrue(!registry.isGameClaimValid(game), "valid");
    }

    function test_aVerdictForTheClaimPaysTheProposer() public {
        (HybridGame game,) = claim(ROOT, 42);
        challenge(game);
        vm.prank(OWNER);
        registry.setDisputeVerifier(oracle);
        oracle.decide(address(game), IDisputeVerifier.Verdict.VALID);
        vm.warp(START + WINDOW);
        vm.assertTrue(game.resolve() == GameStatus.DEFENDER_WINS, "status");
        vm.warp(START + WINDOW + BOND_DELAY);
        vault.withdraw(0);
        vault.withdraw(1);
        vm.assertEq(PROPOSER.balance, 2 * BOND, "the bond, and as much of the stake");
    }

    function test_aVerdictAgainstTheClaimPaysTheChallenger() public {
        (HybridGame game,) = claim(ROOT, 42);
        challenge(game);
        vm.prank(OWNER);
        registry.setDisputeVerifier(oracle);
        oracle.decide(address(game), IDisputeVerifier.Verdict.INVALID);
        vm.warp(START + WINDOW);
        vm.assertTrue(game.resolve() == GameStatus.CHALLENGER_WINS, "status");
        vm.warp(START + WINDOW + BOND_DELAY + FINALITY);
        vault.withdraw(0);
        vm.assertEq(CHALLENGER.balance, BOND / 2, "half of the claim's bond");
        vm.assertEq(vault.locked(address(game)), BOND / 2, "half is nobody's");
        vm.prank(CHALLENGER);
        stakes.takeBack(1);
        vm.warp(block.timestamp + BOND_DELAY);
        vault.withdraw(1);
        vm.assertEq(CHALLENGER.balance, BOND / 2 + STAKE, "and the stake");
        vm.assertTrue(!registry.isGameClaimValid(game), "valid");
    }

    function test_whoChallengesHisOwnWrongClaimLosesHalfItsBond() public {
        (HybridGame game,) = claim(ROOT, 42);
        challengeAs(PROPOSER, game);
        vm.prank(OWNER);
        registry.setDisputeVerifier(oracle);
        oracle.decide(address(game), IDisputeVerifier.Verdict.INVALID);
        vm.warp(START + WINDOW);
        game.resolve();
        vm.prank(PROPOSER);
        stakes.takeBack(1);
        vm.warp(START + WINDOW + BOND_DELAY);
        vault.withdraw(0);
        vault.withdraw(1);
        vm.assertEq(PROPOSER.balance, STAKE + BOND / 2, "stake and half of the bond");
    }

    function test_aGameWithoutABondIsResolved() public {
        vm.prank(OWNER);
        factory.setInitBond(GAME_TYPE, 0);
        HybridGame game = HybridGame(factory.create(GAME_TYPE, ROOT, abi.encode(42)));
        vm.warp(START + WINDOW);
        vm.assertTrue(game.resolve() == GameStatus.DEFENDER_WINS, "status");
        vm.assertEq(vault.releaseCount(), 0, "nothing to release");
    }

    /// A challenge names an address. L1 may take a wrong claim back and bring a right one instead.
    function test_noOtherClaimComesToAGamesAddress() public {
        uint256 before = vm.snapshotState();
        (HybridGame wrong,) = claim(ROOT, 42);
        address place = address(wrong);
        vm.assertTrue(vm.revertToState(before), "as before the claim");
        (HybridGame other,) = claim(ROOT, 43);
        vm.assertTrue(address(other) != place && place.code.length == 0, "of another block");
        vm.assertTrue(vm.revertToState(before), "as before the claim");
        (other,) = claim(keccak256("right"), 42);
        vm.assertTrue(address(other) != place && place.code.length == 0, "another root");
        vm.assertTrue(vm.revertToState(before), "as before the claim");
        (other,) = claim(ROOT, 42);
        vm.assertEq(address(other), place, "the same claim");
    }

    function test_onlyTheFactorySetsAGameUpAndOnce() public {
        (HybridGame game,) = claim(ROOT, 42);
        vm.expectRevert(abi.encodeWithSelector(HybridGame.NotFactory.selector, address(this)));
        game.initialize();
        vm.expectRevert(HybridGame.AlreadyInitialized.selector);
        vm.prank(address(factory));
        game.initialize();
    }

    function test_extraDataIsOneWordAfterTheAnchor() public {
        vm.deal(USER, 10 ether);
        vm.startPrank(USER);
        vm.expectRevert(HybridGame.BadExtraData.selector);
        factory.create{value: BOND}(GAME_TYPE, ROOT, abi.encode(1, 2));
        vm.expectRevert(abi.encodeWithSelector(HybridGame.NotAfterAnchor.selector, 0, 0));
        factory.create{value: BOND}(GAME_TYPE, ROOT, abi.encode(0));
        vm.stopPrank();
    }

    function test_bondsOfAGameAreItsOwn() public {
        (HybridGame game,) = claim(ROOT, 42);
        vm.expectRevert(abi.encodeWithSelector(BondVault.NotEnoughLocked.selector, address(this), 1, 0));
        vault.release(USER, 1);
        vm.startPrank(address(game));
        vm.expectRevert(abi.encodeWithSelector(BondVault.NotEnoughLocked.selector, address(game), BOND + 1, BOND));
        vault.release(USER, BOND + 1);
        vm.assertEq(vault.release(USER, BOND), 0, "id");
        vm.stopPrank();
        vm.assertEq(vault.releaseCount(), 1, "releases");
        vm.assertEq(vault.version(), "2.0.0", "version");
    }

    /// Whoever looks for his own releases reads the list of all.
    function test_nobodyFillsTheListOfReleases() public {
        vm.expectRevert(BondVault.NothingToRelease.selector);
        vault.release(PROPOSER, 0);
        vm.deal(USER, 1);
        vm.expectRevert(); // knows nothing of games
        vm.prank(USER);
        vault.lock{value: 1}();
        Impostor impostor = new Impostor(ROOT);
        vm.expectRevert(abi.encodeWithSelector(BondVault.NotAGame.selector, address(impostor)));
        vm.prank(address(impostor));
        vault.lock();
        vm.assertEq(vault.releaseCount(), 0, "releases");
    }

    function test_bondsWaitForAPauseAndForWhoTakesThem() public {
        address refuser = address(new Refuser());
        (HybridGame game,) = claim(ROOT, 42);
        vm.prank(address(game));
        vault.release(refuser, 5);
        vm.warp(START + BOND_DELAY);
        vm.prank(GUARDIAN);
        pause.pause();
        vm.expectRevert(abi.encodeWithSelector(BondVault.CallPaused.selector, pause.expiration()));
        vault.withdraw(0);
        vm.warp(pause.expiration());
        vm.expectRevert(abi.encodeWithSelector(BondVault.PaymentRefused.selector, 0, refuser));
        vault.withdraw(0);
        (address recipient,,) = vault.releases(0);
        vm.assertEq(recipient, refuser, "still to be paid");
    }

    receive() external payable {}
}
