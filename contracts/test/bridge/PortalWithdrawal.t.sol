// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {Portal} from "../../src/bridge/Portal.sol";
import {HybridGame} from "../../src/dispute/HybridGame.sol";
import {IDisputeVerifier} from "../../src/interfaces/IDisputeVerifier.sol";
import {Hashing} from "../../src/libraries/Hashing.sol";
import {SafeCall} from "../../src/libraries/SafeCall.sol";
import {Types} from "../../src/libraries/Types.sol";
import {World} from "../World.sol";

/// @notice Holds every challenged claim to be wrong.
contract Denier is IDisputeVerifier {
    function verdict(address) external pure returns (Verdict) {
        return Verdict.INVALID;
    }
}

/// @notice A target that takes ether when it wants to, and says who sent it on L2.
contract Taker {
    Portal internal immutable PORTAL;
    bool public closed;
    address public sender;
    uint256 public gasGiven;
    bytes internal again;

    constructor(Portal portal) {
        PORTAL = portal;
    }

    function close(bool closed_) external {
        closed = closed_;
    }

    /// @dev What to call the portal with when paid.
    function arm(bytes calldata call_) external {
        again = call_;
    }

    function take() external payable {
        require(!closed, "closed");
        gasGiven = gasleft();
        sender = PORTAL.l2Sender();
        if (again.length != 0) {
            bool ok;
            (ok, again) = address(PORTAL).call(again);
            require(!ok, "the portal was entered again");
        }
    }

    function reason() external view returns (bytes memory) {
        return again;
    }
}

contract PortalWithdrawalTest is World {
    event WithdrawalProven(bytes32 indexed withdrawalHash, address indexed from, address indexed to);
    event WithdrawalProvenExtension1(bytes32 indexed withdrawalHash, address indexed proofSubmitter);
    event WithdrawalFinalized(bytes32 indexed withdrawalHash, bool success);

    function setUp() public {
        deployWorld(IERC20(address(0)));
        vm.deal(address(portal), 100 ether);
    }

    function test_aProvenWithdrawalIsPaidOnce() public {
        Types.WithdrawalTransaction memory w = withdrawalOf(0, 5 ether);
        bytes32 hash = Hashing.hashWithdrawal(w);
        HybridGame game = proveAs(USER, w, 10);
        (address provenUnder, uint64 since) = provenBy(hash, USER);
        vm.assertTrue(provenUnder == address(game) && since == block.timestamp, "proof is kept");
        vm.assertEq(portal.numProofSubmitters(hash), 1, "submitters");
        vm.assertEq(portal.proofSubmitters(hash, 0), USER, "submitter");
        settle(game);
        portal.checkWithdrawal(hash, USER);
        vm.expectEmit(address(portal));
        emit WithdrawalFinalized(hash, true);
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
        vm.assertEq(TARGET.balance, 5 ether, "paid");
        vm.assertTrue(portal.finalizedWithdrawals(hash), "finalised");
        vm.expectRevert(Portal.OptimismPortal_AlreadyFinalized.selector);
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
    }

    function provenBy(bytes32 hash, address submitter) internal view returns (address game, uint64 since) {
        (bool ok, bytes memory out) =
            address(portal).staticcall(abi.encodeWithSignature("provenWithdrawals(bytes32,address)", hash, submitter));
        vm.assertTrue(ok, "provenWithdrawals");
        return abi.decode(out, (address, uint64));
    }

    function test_provingIsAnnounced() public {
        Types.WithdrawalTransaction memory w = withdrawalOf(0, 1);
        (Types.OutputRootProof memory output, bytes[] memory proof) = outputWith(w);
        (, uint256 index) = claim(Hashing.hashOutputRootProof(output), 1);
        vm.warp(START + 1);
        vm.expectEmit(address(portal));
        emit WithdrawalProven(Hashing.hashWithdrawal(w), USER, TARGET);
        vm.expectEmit(address(portal));
        emit WithdrawalProvenExtension1(Hashing.hashWithdrawal(w), RELAY);
        vm.prank(RELAY);
        portal.proveWithdrawalTransaction(w, index, output, proof);
    }

    function test_anothersProofServesAnybody() public {
        Types.WithdrawalTransaction memory w = withdrawalOf(0, 1 ether);
        settle(proveAs(RELAY, w, 10));
        vm.expectRevert(Portal.OptimismPortal_Unproven.selector);
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
        vm.prank(USER);
        portal.finalizeWithdrawalTransactionExternalProof(w, RELAY);
        vm.assertEq(TARGET.balance, 1 ether, "paid");
    }

    function test_nothingIsPaidBeforeProofAndClaimAreOldEnough() public {
        Types.WithdrawalTransaction memory w = withdrawalOf(0, 1 ether);
        bytes32 hash = Hashing.hashWithdrawal(w);
        HybridGame game = proveAs(USER, w, 10);
        uint256 proven = block.timestamp;
        vm.expectRevert(Portal.OptimismPortal_ProofNotOldEnough.selector);
        portal.checkWithdrawal(hash, USER);
        vm.warp(proven + MATURITY);
        vm.expectRevert(Portal.OptimismPortal_ProofNotOldEnough.selector);
        portal.checkWithdrawal(hash, USER);
        vm.warp(proven + MATURITY + 1);
        vm.expectRevert(Portal.OptimismPortal_InvalidRootClaim.selector);
        portal.checkWithdrawal(hash, USER);
        vm.warp(START + WINDOW);
        game.resolve();
        vm.warp(START + WINDOW + FINALITY);
        vm.expectRevert(Portal.OptimismPortal_InvalidRootClaim.selector);
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
        vm.warp(START + WINDOW + FINALITY + 1);
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
    }

    function test_aChallengedClaimPaysNobodyAndAnotherGameDoes() public {
        Types.WithdrawalTransaction memory w = withdrawalOf(0, 1 ether);
        bytes32 hash = Hashing.hashWithdrawal(w);
        HybridGame game = proveAs(USER, w, 10);
        challenge(game);
        vm.warp(START + 365 days);
        vm.expectRevert(HybridGame.Undecided.selector);
        game.resolve();
        vm.expectRevert(Portal.OptimismPortal_InvalidRootClaim.selector);
        portal.checkWithdrawal(hash, USER);

        settle(proveAs(USER, w, 11));
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
        vm.assertEq(TARGET.balance, 1 ether, "paid under another game");
        vm.assertEq(portal.numProofSubmitters(hash), 2, "both proofs are listed");
    }

    function test_nothingIsProvenUnderALostOrVoidedOrForeignGame() public {
        Types.WithdrawalTransaction memory w = withdrawalOf(0, 1 ether);
        (Types.OutputRootProof memory output, bytes[] memory proof) = outputWith(w);
        (HybridGame lost, uint256 lostIndex) = claim(Hashing.hashOutputRootProof(output), 1);
        challenge(lost);
        vm.startPrank(OWNER);
        registry.setDisputeVerifier(new Denier());
        vm.stopPrank();
        vm.warp(START + WINDOW);
        lost.resolve();
        vm.expectRevert(Portal.OptimismPortal_InvalidDisputeGame.selector);
        portal.proveWithdrawalTransaction(w, lostIndex, output, proof);

        (HybridGame voided, uint256 voidedIndex) = claim(Hashing.hashOutputRootProof(output), 2);
        vm.startPrank(GUARDIAN);
        pause.pause();
        registry.blacklistDisputeGame(address(voided));
        vm.stopPrank();
        vm.warp(block.timestamp + 1);
        vm.expectRevert(Portal.OptimismPortal_InvalidDisputeGame.selector);
        portal.proveWithdrawalTransaction(w, voidedIndex, output, proof);

        vm.startPrank(OWNER);
        registry.setRespectedGameType(1);
        vm.stopPrank();
        (, uint256 otherIndex) = claim(Hashing.hashOutputRootProof(output), 3);
        vm.warp(block.timestamp + 1);
        vm.expectRevert(Portal.OptimismPortal_InvalidDisputeGame.selector);
        portal.proveWithdrawalTransaction(w, otherIndex, output, proof);
    }

    function test_aVoidedGameNoLongerPays() public {
        Types.WithdrawalTransaction memory w = withdrawalOf(0, 1 ether);
        HybridGame game = proveAs(USER, w, 10);
        settle(game);
        vm.startPrank(GUARDIAN);
        pause.pause();
        registry.blacklistDisputeGame(address(game));
        pause.unpause();
        vm.stopPrank();
        vm.expectRevert(Portal.OptimismPortal_InvalidRootClaim.selector);
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
    }

    function test_wrongProofsAreRefused() public {
        Types.WithdrawalTransaction memory w = withdrawalOf(0, 1 ether);
        (Types.OutputRootProof memory output, bytes[] memory proof) = outputWith(w);
        (, uint256 index) = claim(Hashing.hashOutputRootProof(output), 1);
        vm.expectRevert(Portal.OptimismPortal_InvalidProofTimestamp.selector);
        portal.proveWithdrawalTransaction(w, index, output, proof);
        vm.warp(START + 1);

        output.latestBlockhash = 0;
        vm.expectRevert(Portal.OptimismPortal_InvalidOutputRootProof.selector);
        portal.proveWithdrawalTransaction(w, index, output, proof);
        output.latestBlockhash = keccak256("block");
        w.value = 2 ether;
        vm.expectRevert(Portal.OptimismPortal_InvalidMerkleProof.selector);
        portal.proveWithdrawalTransaction(w, index, output, proof);
        w.value = 1 ether;
        vm.expectRevert(Portal.OptimismPortal_InvalidMerkleProof.selector);
        portal.proveWithdrawalTransaction(w, index, output, new bytes[](0));
        vm.expectRevert();
        portal.proveWithdrawalTransaction(w, index + 1, output, proof);
        portal.proveWithdrawalTransaction(w, index, output, proof);
    }

    function test_aPauseDelaysPaymentButNoProof() public {
        Types.WithdrawalTransaction memory w = withdrawalOf(0, 1 ether);
        vm.prank(GUARDIAN);
        pause.pause();
        HybridGame game = proveAs(USER, w, 10);
        vm.warp(START + WINDOW - 1 hours);
        vm.assertTrue(!portal.paused(), "over before the window is");
        settle(game);
        vm.warp(START + PAUSE_PERIOD);
        vm.prank(GUARDIAN);
        pause.pause();
        vm.expectRevert(Portal.OptimismPortal_CallPaused.selector);
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
        vm.warp(pause.expiration());
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
        vm.assertEq(TARGET.balance, 1 ether, "paid");
    }

    function test_aFailedCallUsesNothingUp() public {
        Taker taker = new Taker(portal);
        taker.close(true);
        Types.WithdrawalTransaction memory w = Types.WithdrawalTransaction(
            1 << 240, USER, address(taker), 1 ether, 100_000, abi.encodeCall(Taker.take, ())
        );
        bytes32 hash = Hashing.hashWithdrawal(w);
        settle(proveAs(USER, w, 10));
        vm.expectRevert(abi.encodeWithSelector(Portal.WithdrawalCallFailed.selector, hash));
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
        vm.assertTrue(!portal.finalizedWithdrawals(hash), "still to be paid");
        taker.close(false);
        vm.assertEq(portal.l2Sender(), portal.NO_L2_SENDER(), "no sender before");
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
        vm.assertEq(address(taker).balance, 1 ether, "paid");
        vm.assertEq(taker.sender(), USER, "sender during the call");
        vm.assertEq(portal.l2Sender(), portal.NO_L2_SENDER(), "no sender after");
    }

    function test_theTargetGetsTheGasItWasPromised() public {
        Taker taker = new Taker(portal);
        Types.WithdrawalTransaction memory w =
            Types.WithdrawalTransaction(1 << 240, USER, address(taker), 0, 500_000, abi.encodeCall(Taker.take, ()));
        settle(proveAs(USER, w, 10));
        vm.prank(USER);
        (bool ok, bytes memory reason) =
            address(portal).call{gas: 500_000}(abi.encodeCall(Portal.finalizeWithdrawalTransaction, (w)));
        // forge-lint: disable-next-line(unsafe-typecast)
        vm.assertTrue(!ok && bytes4(reason) == SafeCall.NotEnoughGas.selector, "too little gas");
        vm.prank(USER);
        (ok,) = address(portal).call{gas: 700_000}(abi.encodeCall(Portal.finalizeWithdrawalTransaction, (w)));
        vm.assertTrue(ok && taker.gasGiven() > 499_000, "gas of the call");
    }

    function test_aCallCannotFinaliseAnother() public {
        Taker taker = new Taker(portal);
        Types.WithdrawalTransaction memory other = withdrawalOf(7, 1 ether);
        HybridGame first = proveAs(address(taker), other, 10);
        Types.WithdrawalTransaction memory w =
            Types.WithdrawalTransaction(1 << 240, USER, address(taker), 0, 500_000, abi.encodeCall(Taker.take, ()));
        HybridGame second = proveAs(USER, w, 11);
        vm.warp(block.timestamp + WINDOW);
        first.resolve();
        second.resolve();
        vm.warp(block.timestamp + FINALITY + MATURITY);
        taker.arm(abi.encodeCall(Portal.finalizeWithdrawalTransaction, (other)));
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
        vm.assertEq(
            taker.reason(), abi.encodeWithSelector(Portal.OptimismPortal_NoReentrancy.selector), "refused in the call"
        );
        vm.prank(address(taker));
        portal.finalizeWithdrawalTransaction(other);
        vm.assertEq(TARGET.balance, 1 ether, "paid later");
    }

    function test_thePortalIsNoTarget() public {
        Types.WithdrawalTransaction memory w = withdrawalOf(0, 1 ether);
        w.target = address(portal);
        (Types.OutputRootProof memory output, bytes[] memory proof) = outputWith(w);
        vm.expectRevert(Portal.OptimismPortal_BadTarget.selector);
        portal.proveWithdrawalTransaction(w, 0, output, proof);
        vm.expectRevert(Portal.OptimismPortal_BadTarget.selector);
        portal.finalizeWithdrawalTransaction(w);
    }

    function test_burningIsATarget() public {
        Types.WithdrawalTransaction memory w = withdrawalOf(0, 1 ether);
        w.target = address(0);
        settle(proveAs(USER, w, 10));
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
        vm.assertEq(address(0).balance, 1 ether, "burned");
    }

    function test_whatClientsRead() public view {
        vm.assertEq(address(portal.anchorStateRegistry()), address(registry), "registry");
        vm.assertEq(address(portal.disputeGameFactory()), address(factory), "factory");
        vm.assertEq(address(portal.systemConfig()), address(config), "config");
        vm.assertEq(address(portal.superchainConfig()), address(pause), "pause");
        vm.assertEq(portal.guardian(), GUARDIAN, "guardian");
        vm.assertEq(portal.respectedGameType(), GAME_TYPE, "game type");
        vm.assertEq(portal.proofMaturityDelaySeconds(), MATURITY, "maturity");
        vm.assertEq(portal.disputeGameFinalityDelaySeconds(), FINALITY, "finality");
        vm.assertEq(portal.version(), "5.0.0", "version");
    }

    function testFuzz_everyWithdrawalIsProvableAndPaid(
        uint240 nonce,
        address sender,
        uint256 value,
        uint32 gasLimit,
        bytes calldata data
    ) public {
        value = bound(value, 0, 100 ether);
        Types.WithdrawalTransaction memory w =
            Types.WithdrawalTransaction((1 << 240) | nonce, sender, TARGET, value, gasLimit % 1_000_000, data);
        settle(proveAs(USER, w, 10));
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
        vm.assertEq(TARGET.balance, value, "paid");
        vm.assertEq(address(portal).balance, 100 ether - value, "left");
    }
}
