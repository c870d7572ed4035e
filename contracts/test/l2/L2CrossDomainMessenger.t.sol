// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {L2CrossDomainMessenger} from "../../src/l2/L2CrossDomainMessenger.sol";
import {AddressAlias} from "../../src/libraries/AddressAlias.sol";
import {L2Base, Target} from "./L2Base.sol";

contract L2CrossDomainMessengerTest is L2Base {
    Target internal target;
    bytes internal constant RUN = abi.encodeWithSignature("run()");

    function setUp() public override {
        super.setUp();
        target = new Target();
    }

    function test_messageToL1() public {
        vm.recordLogs();
        vm.expectEmit(address(messenger));
        emit L2CrossDomainMessenger.SentMessage(BOB, ALICE, hex"1234", nonceOf(0), 90_000);
        vm.expectEmit(address(messenger));
        emit L2CrossDomainMessenger.SentMessageExtension1(ALICE, 5);
        vm.prank(ALICE);
        messenger.sendMessage{value: 5}(BOB, hex"1234", 90_000);
        (address from, address to, uint256 value, uint256 gasLimit, bytes memory data) = sentMessage();
        vm.assertEq(from, ALICE, "sender");
        vm.assertEq(to, BOB, "target");
        vm.assertEq(value, 5, "value");
        vm.assertEq(gasLimit, 90_000, "gas");
        vm.assertEq(data, hex"1234", "data");
        vm.assertEq(messenger.messageNonce(), nonceOf(1), "nonce");
        vm.assertEq(address(messenger).balance, 0, "nothing stays");
    }

    function test_gasOfTheWithdrawalIsBaseGas() public {
        vm.recordLogs();
        vm.prank(ALICE);
        messenger.sendMessage(BOB, hex"1234", 90_000);
        (,,, uint256 gasLimit,) = withdrawal();
        vm.assertEq(gasLimit, messenger.baseGas(hex"1234", 90_000), "gas");
    }

    function test_valueIsRefusedWithAGasToken() public {
        useGasToken();
        vm.prank(ALICE);
        messenger.sendMessage(BOB, "", 0);
        vm.expectRevert(abi.encodeWithSelector(L2CrossDomainMessenger.ValueWithCustomGasToken.selector));
        vm.prank(ALICE);
        messenger.sendMessage{value: 1}(BOB, "", 0);
    }

    function test_messageFromL1() public {
        vm.recordLogs();
        bytes32 hash = deliver(nonceOf(3), ALICE, address(target), 7, RUN);
        vm.assertTrue(messenger.successfulMessages(hash), "successful");
        vm.assertTrue(!messenger.failedMessages(hash), "not failed");
        vm.assertEq(target.received(), 7, "value");
        vm.assertEq(target.sender(), ALICE, "sender");
        vm.expectRevert(abi.encodeWithSelector(L2CrossDomainMessenger.NoMessageInProgress.selector));
        messenger.xDomainMessageSender();
    }

    function test_aMessageRunsOnce() public {
        bytes32 hash = deliver(nonceOf(3), ALICE, address(target), 0, RUN);
        address peer = AddressAlias.toL2(L1_MESSENGER);
        vm.expectRevert(abi.encodeWithSelector(L2CrossDomainMessenger.MessageAlreadyRelayed.selector, hash));
        vm.prank(peer, peer);
        messenger.relayMessage(nonceOf(3), ALICE, address(target), 0, 200_000, RUN);
    }

    function test_aFailedMessageIsReplayedByAnybodyOnce() public {
        target.setFails(true);
        bytes32 hash = deliver(nonceOf(0), ALICE, address(target), 7, RUN);
        vm.assertTrue(messenger.failedMessages(hash) && !messenger.successfulMessages(hash), "failed");
        vm.assertEq(address(messenger).balance, 7, "the value waits");
        target.setFails(false);
        vm.expectEmit(address(messenger));
        emit L2CrossDomainMessenger.RelayedMessage(hash);
        vm.prank(BOB);
        messenger.relayMessage(nonceOf(0), ALICE, address(target), 7, 200_000, RUN);
        vm.assertEq(target.received(), 7, "value");
        vm.expectRevert(abi.encodeWithSelector(L2CrossDomainMessenger.MessageAlreadyRelayed.selector, hash));
        messenger.relayMessage(nonceOf(0), ALICE, address(target), 7, 200_000, RUN);
    }

    function test_aReplayCarriesNoValue() public {
        target.setFails(true);
        deliver(nonceOf(0), ALICE, address(target), 7, RUN);
        vm.expectRevert(abi.encodeWithSelector(L2CrossDomainMessenger.ReplayWithValue.selector, 7));
        vm.prank(ALICE);
        messenger.relayMessage{value: 7}(nonceOf(0), ALICE, address(target), 7, 200_000, RUN);
    }

    function test_nobodyInventsMessages() public {
        bytes32 hash = messageHash(nonceOf(0), L1_BRIDGE, address(target), 0, 0, RUN);
        vm.expectRevert(abi.encodeWithSelector(L2CrossDomainMessenger.MessageNotReplayable.selector, hash));
        vm.prank(L1_MESSENGER);
        messenger.relayMessage(nonceOf(0), L1_BRIDGE, address(target), 0, 0, RUN);
    }

    function test_otherVersionsAreRefused() public {
        address peer = AddressAlias.toL2(L1_MESSENGER);
        vm.expectRevert(abi.encodeWithSelector(L2CrossDomainMessenger.UnknownMessageVersion.selector, 0));
        vm.prank(peer, peer);
        messenger.relayMessage(9, ALICE, address(target), 0, 0, RUN);
    }

    function test_messagesToWhatTrustsTheMessengerFailAndAreRefunded() public {
        address[2] memory targets = [address(messenger), address(passer)];
        for (uint240 i = 0; i < 2; i++) {
            bytes32 hash = deliver(nonceOf(i), ALICE, targets[i], 7, "");
            vm.assertTrue(messenger.failedMessages(hash), "failed");
            vm.recordLogs();
            vm.prank(ALICE, ALICE);
            messenger.refundMessage(nonceOf(i), ALICE, targets[i], 7, 200_000, "");
            (address from, address to, uint256 value,,) = withdrawal();
            vm.assertEq(from, address(messenger), "from");
            vm.assertEq(to, ALICE, "to");
            vm.assertEq(value, 7, "value");
        }
    }

    function test_tooLittleGasFailsTheMessage() public {
        address peer = AddressAlias.toL2(L1_MESSENGER);
        vm.prank(peer, peer);
        messenger.relayMessage{gas: 280_000}(nonceOf(0), ALICE, address(target), 0, 200_000, RUN);
        vm.assertTrue(
            messenger.failedMessages(messageHash(nonceOf(0), ALICE, address(target), 0, 200_000, RUN)), "failed"
        );
        messenger.relayMessage(nonceOf(0), ALICE, address(target), 0, 200_000, RUN);
        vm.assertEq(target.sender(), ALICE, "replayed");
    }

    function test_aTargetCannotUseUpTheMessengersGas() public {
        address peer = AddressAlias.toL2(L1_MESSENGER);
        bytes memory burn = abi.encodeWithSignature("burn()");
        vm.prank(peer, peer);
        messenger.relayMessage{gas: 400_000}(nonceOf(0), ALICE, address(target), 0, 200_000, burn);
        bytes memory bomb = abi.encodeWithSignature("bomb()");
        vm.prank(peer, peer);
        messenger.relayMessage{gas: 2_000_000}(nonceOf(1), ALICE, address(target), 0, 200_000, bomb);
        vm.assertTrue(
            messenger.failedMessages(messageHash(nonceOf(0), ALICE, address(target), 0, 200_000, burn))
                && messenger.failedMessages(messageHash(nonceOf(1), ALICE, address(target), 0, 200_000, bomb)),
            "both are recorded"
        );
    }

    function test_aMessageInsideAnotherWaits() public {
        target.setFails(true);
        bytes32 inner = deliver(nonceOf(0), BOB, address(target), 7, RUN);
        target.setFails(false);
        target.setReenter(
            address(messenger),
            abi.encodeCall(messenger.relayMessage, (nonceOf(0), BOB, address(target), 7, 200_000, RUN))
        );
        bytes32 outer = deliver(nonceOf(1), ALICE, address(target), 0, RUN);
        vm.assertTrue(messenger.successfulMessages(outer), "outer");
        vm.assertTrue(!messenger.successfulMessages(inner), "inner");
        vm.assertEq(target.received(), 0, "inner did not run");
        target.setReenter(address(0), "");
        messenger.relayMessage(nonceOf(0), BOB, address(target), 7, 200_000, RUN);
        vm.assertEq(target.received(), 7, "replayed");
    }

    function test_estimatesSeeAFailure() public {
        target.setFails(true);
        address peer = AddressAlias.toL2(L1_MESSENGER);
        bytes32 hash = messageHash(nonceOf(0), ALICE, address(target), 0, 0, RUN);
        vm.expectRevert(abi.encodeWithSelector(L2CrossDomainMessenger.RelayFailedInEstimate.selector, hash));
        vm.prank(peer, address(1));
        messenger.relayMessage(nonceOf(0), ALICE, address(target), 0, 0, RUN);
    }

    function test_theSendersContractTakesValueBackThroughItsAlias() public {
        target.setFails(true);
        bytes32 hash = deliver(nonceOf(0), ALICE, address(target), 7, RUN);
        vm.recordLogs();
        vm.expectEmit(address(messenger));
        emit L2CrossDomainMessenger.MessageRefunded(hash, ALICE, 7);
        vm.prank(AddressAlias.toL2(ALICE), BOB);
        messenger.refundMessage(nonceOf(0), ALICE, address(target), 7, 200_000, RUN);
        (, address to, uint256 value, uint256 gasLimit, bytes memory data) = withdrawal();
        vm.assertEq(to, ALICE, "to");
        vm.assertEq(value, 7, "value");
        vm.assertEq(gasLimit, 100_000, "gas");
        vm.assertEq(data, "", "data");
    }

    function test_aRefundedMessageIsVoid() public {
        target.setFails(true);
        bytes32 hash = deliver(nonceOf(0), ALICE, address(target), 7, RUN);
        vm.prank(ALICE, ALICE);
        messenger.refundMessage(nonceOf(0), ALICE, address(target), 7, 200_000, RUN);
        target.setFails(false);
        bytes memory void = abi.encodeWithSelector(L2CrossDomainMessenger.MessageWasRefunded.selector, hash);
        vm.expectRevert(void);
        messenger.relayMessage(nonceOf(0), ALICE, address(target), 7, 200_000, RUN);
        vm.expectRevert(void);
        vm.prank(ALICE, ALICE);
        messenger.refundMessage(nonceOf(0), ALICE, address(target), 7, 200_000, RUN);
    }

    function test_othersTakeNothingBack() public {
        target.setFails(true);
        deliver(nonceOf(0), ALICE, address(target), 7, RUN);
        // A stranger, and a contract of L2 at the sender's address.
        address[2] memory callers = [BOB, ALICE];
        for (uint256 i = 0; i < 2; i++) {
            vm.expectRevert(abi.encodeWithSelector(L2CrossDomainMessenger.NotTheSender.selector, callers[i], ALICE));
            vm.prank(callers[i], BOB);
            messenger.refundMessage(nonceOf(0), ALICE, address(target), 7, 200_000, RUN);
        }
    }

    function test_onlyFailedMessagesWithValueAreRefunded() public {
        bytes32 ran = deliver(nonceOf(0), ALICE, address(target), 7, RUN);
        vm.expectRevert(abi.encodeWithSelector(L2CrossDomainMessenger.MessageNotFailed.selector, ran));
        vm.prank(ALICE, ALICE);
        messenger.refundMessage(nonceOf(0), ALICE, address(target), 7, 200_000, RUN);

        target.setFails(true);
        bytes32 free = deliver(nonceOf(1), ALICE, address(target), 0, RUN);
        vm.expectRevert(abi.encodeWithSelector(L2CrossDomainMessenger.NothingToRefund.selector, free));
        vm.prank(ALICE, ALICE);
        messenger.refundMessage(nonceOf(1), ALICE, address(target), 0, 200_000, RUN);

        bytes32 late = deliver(nonceOf(2), ALICE, address(target), 7, RUN);
        target.setFails(false);
        messenger.relayMessage(nonceOf(2), ALICE, address(target), 7, 200_000, RUN);
        vm.expectRevert(abi.encodeWithSelector(L2CrossDomainMessenger.MessageAlreadyRelayed.selector, late));
        vm.prank(ALICE, ALICE);
        messenger.refundMessage(nonceOf(2), ALICE, address(target), 7, 200_000, RUN);
    }

    function test_nothingIsRefundedDuringARelay() public {
        // The target is the sender's alias, so that it may ask for the refund.
        address alias_ = AddressAlias.toL2(ALICE);
        vm.etch(alias_, address(target).code);
        Target actor = Target(payable(alias_));
        actor.setFails(true);
        bytes32 hash = deliver(nonceOf(0), ALICE, alias_, 7, RUN);
        actor.setFails(false);
        actor.setReenter(
            address(messenger), abi.encodeCall(messenger.refundMessage, (nonceOf(0), ALICE, alias_, 7, 200_000, RUN))
        );
        messenger.relayMessage(nonceOf(0), ALICE, alias_, 7, 200_000, RUN);
        vm.assertTrue(!messenger.successfulMessages(hash) && !messenger.refundedMessages(hash), "neither");
        vm.assertEq(address(messenger).balance, 7, "the value waits");
    }

    function test_getters() public view {
        vm.assertEq(messenger.OTHER_MESSENGER(), L1_MESSENGER, "other");
        vm.assertEq(messenger.otherMessenger(), L1_MESSENGER, "other");
        vm.assertEq(messenger.l1CrossDomainMessenger(), L1_MESSENGER, "other");
        vm.assertTrue(!messenger.paused(), "paused");
        vm.assertEq(bytes(messenger.version()), "2.0.0", "version");
    }

    function test_baseGasIsTheSpecifications() public view {
        // 21,000 + 200,000 + 40,000 + 40,000 + 5,000 + 200,000 * 64 / 63 + 16 * (260 + 100)
        vm.assertEq(messenger.baseGas(new bytes(100), 200_000), 514_934, "metered");
        // 21,000 + 40 * (260 + 100,000)
        vm.assertEq(messenger.baseGas(new bytes(100_000), 0), 4_031_400, "floor");
    }

    /// @dev Whatever the order of failing, replays and refunds: the value leaves once.
    function testFuzz_valueLeavesOnce(uint8[12] memory steps, uint96 value) public {
        value = uint96(bound(value, 1, 1 ether));
        target.setFails(true);
        deliver(nonceOf(0), ALICE, address(target), value, RUN);
        uint256 before = address(passer).balance;
        for (uint256 i = 0; i < steps.length; i++) {
            uint256 step = steps[i] % 4;
            if (step < 2) target.setFails(step == 0);
            vm.prank(ALICE, ALICE);
            if (step == 2) {
                try messenger.relayMessage(nonceOf(0), ALICE, address(target), value, 200_000, RUN) {} catch {}
            } else if (step == 3) {
                try messenger.refundMessage(nonceOf(0), ALICE, address(target), value, 200_000, RUN) {} catch {}
            }
            uint256 left = target.received() + (address(passer).balance - before);
            vm.assertEq(left + address(messenger).balance, value, "conserved");
            vm.assertTrue(left == 0 || left == value, "whole");
        }
    }
}
