// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {L1CrossDomainMessenger} from "../../src/bridge/L1CrossDomainMessenger.sol";
import {Portal} from "../../src/bridge/Portal.sol";
import {Hashing} from "../../src/libraries/Hashing.sol";
import {Types} from "../../src/libraries/Types.sol";
import {Vm} from "../Base.sol";
import {World} from "../World.sol";

/// @notice A receiver of messages that can refuse, waste gas, return a lot, and call back.
contract Receiver {
    L1CrossDomainMessenger internal immutable MESSENGER;
    address public sender;
    uint256 public gasGiven;
    bool public refusing;
    bool public wasting;
    bool public nestedOk;
    address internal nestedTarget;
    bytes internal nested;

    constructor(L1CrossDomainMessenger messenger) {
        MESSENGER = messenger;
    }

    function set(bool refusing_, bool wasting_) external {
        refusing = refusing_;
        wasting = wasting_;
    }

    function arm(bytes calldata nested_) external {
        armAt(address(MESSENGER), nested_);
    }

    function armAt(address target, bytes calldata nested_) public {
        nestedTarget = target;
        nested = nested_;
    }

    function take() external payable {
        require(!refusing, "refusing");
        uint256 rounds = wasting ? type(uint256).max : 0;
        bytes32 h;
        for (uint256 i = 0; i < rounds; i++) {
            h = keccak256(abi.encode(h));
        }
        gasGiven = gasleft();
        sender = MESSENGER.xDomainMessageSender();
        if (nested.length != 0) (nestedOk,) = nestedTarget.call(nested);
    }

    function returnMuch() external payable returns (bytes memory) {
        return new bytes(200_000);
    }
}

contract L1CrossDomainMessengerTest is World {
    event RelayedMessage(bytes32 indexed msgHash);

    uint256 internal constant V1 = 1 << 240;
    Receiver internal receiver;
    uint256 internal nextBlock = 10;

    function setUp() public {
        deployWorld(IERC20(address(0)));
        vm.deal(address(portal), 100 ether);
        receiver = new Receiver(messenger);
    }

    function relayCall(uint256 nonce, address target, uint256 value, uint256 minGas, bytes memory message)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodeCall(L1CrossDomainMessenger.relayMessage, (nonce, USER, target, value, minGas, message));
    }

    function hashOf(uint256 nonce, address target, uint256 value, uint256 minGas, bytes memory message)
        internal
        pure
        returns (bytes32)
    {
        return Hashing.hashCrossDomainMessageV1(nonce, USER, target, value, minGas, message);
    }

    /// @dev Takes a message of L2's messenger through the portal.
    function deliver(uint256 nonce, address target, uint256 value, uint256 minGas, bytes memory message) internal {
        Types.WithdrawalTransaction memory w = Types.WithdrawalTransaction(
            nonce,
            L2_MESSENGER,
            address(messenger),
            value,
            minGas + 400_000,
            relayCall(nonce, target, value, minGas, message)
        );
        settle(proveAs(USER, w, nextBlock++));
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
    }

    function test_aMessageIsSentThroughThePortal() public {
        vm.deal(USER, 1 ether);
        vm.recordLogs();
        vm.prank(USER, USER);
        messenger.sendMessage{value: 1 ether}(TARGET, hex"c0ffee", 50_000);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 3, "events");
        vm.assertEq(logs[0].data, abi.encode(USER, hex"c0ffee", V1, 50_000), "SentMessage");
        vm.assertEq(logs[1].data, abi.encode(1 ether), "SentMessageExtension1");
        bytes memory call = relayCall(V1, TARGET, 1 ether, 50_000, hex"c0ffee");
        bytes memory opaqueData =
            abi.encodePacked(uint256(1 ether), uint256(1 ether), messenger.baseGas(hex"c0ffee", 50_000), false, call);
        vm.assertEq(abi.decode(logs[2].data, (bytes)), opaqueData, "deposit");
        vm.assertEq(logs[2].topics[2], bytes32(uint256(uint160(L2_MESSENGER))), "to the messenger on L2");
        vm.assertEq(messenger.messageNonce(), V1 + 1, "next nonce");
    }

    function test_aMessageIsDeliveredOnce() public {
        bytes memory message = abi.encodeCall(Receiver.take, ());
        bytes32 hash = hashOf(V1, address(receiver), 2 ether, 100_000, message);
        deliver(V1, address(receiver), 2 ether, 100_000, message);
        vm.assertEq(address(receiver).balance, 2 ether, "value");
        vm.assertEq(receiver.sender(), USER, "sender");
        vm.assertTrue(receiver.gasGiven() > 99_000, "gas");
        vm.assertTrue(messenger.successfulMessages(hash) && !messenger.failedMessages(hash), "successful");
        vm.expectRevert(abi.encodeWithSelector(L1CrossDomainMessenger.NotReplayable.selector, hash));
        messenger.relayMessage(V1, USER, address(receiver), 2 ether, 100_000, message);
        vm.expectRevert(L1CrossDomainMessenger.NoMessage.selector);
        messenger.xDomainMessageSender();
    }

    function test_aFailedMessageIsKeptWithItsEtherAndReplayed() public {
        receiver.set(true, false);
        bytes memory message = abi.encodeCall(Receiver.take, ());
        bytes32 hash = hashOf(V1, address(receiver), 2 ether, 100_000, message);
        deliver(V1, address(receiver), 2 ether, 100_000, message);
        vm.assertTrue(messenger.failedMessages(hash) && !messenger.successfulMessages(hash), "failed");
        vm.assertEq(address(messenger).balance, 2 ether, "ether waits");

        messenger.relayMessage(V1, USER, address(receiver), 2 ether, 100_000, message);
        vm.assertTrue(!messenger.successfulMessages(hash), "failed again");
        receiver.set(false, false);
        vm.deal(RELAY, 2 ether);
        vm.expectRevert(abi.encodeWithSelector(L1CrossDomainMessenger.WrongValue.selector, 2 ether, 0));
        vm.prank(RELAY);
        messenger.relayMessage{value: 2 ether}(V1, USER, address(receiver), 2 ether, 100_000, message);
        vm.expectEmit(address(messenger));
        emit RelayedMessage(hash);
        vm.prank(RELAY);
        messenger.relayMessage(V1, USER, address(receiver), 2 ether, 100_000, message);
        vm.assertEq(address(receiver).balance, 2 ether, "paid");
        vm.assertEq(address(messenger).balance, 0, "nothing left");
        vm.expectRevert(abi.encodeWithSelector(L1CrossDomainMessenger.AlreadyRelayed.selector, hash));
        messenger.relayMessage(V1, USER, address(receiver), 2 ether, 100_000, message);
    }

    function test_aWastefulTargetIsBookedAsFailed() public {
        receiver.set(false, true);
        bytes memory message = abi.encodeCall(Receiver.take, ());
        deliver(V1, address(receiver), 0, 100_000, message);
        vm.assertTrue(messenger.failedMessages(hashOf(V1, address(receiver), 0, 100_000, message)), "failed");
        message = abi.encodeCall(Receiver.returnMuch, ());
        deliver(V1 + 1, address(receiver), 0, 200_000, message);
        vm.assertTrue(messenger.successfulMessages(hashOf(V1 + 1, address(receiver), 0, 200_000, message)), "bomb");
    }

    function test_tooLittleGasIsBookedAsFailed() public {
        receiver.set(true, false);
        bytes memory message = abi.encodeCall(Receiver.take, ());
        deliver(V1, address(receiver), 0, 100_000, message);
        receiver.set(false, false);
        bytes memory call = relayCall(V1, address(receiver), 0, 100_000, message);
        (bool ok,) = address(messenger).call{gas: 160_000}(call);
        bytes32 hash = hashOf(V1, address(receiver), 0, 100_000, message);
        vm.assertTrue(ok && !messenger.successfulMessages(hash), "not tried");
        (ok,) = address(messenger).call{gas: 300_000}(call);
        vm.assertTrue(ok && messenger.successfulMessages(hash), "tried");
    }

    function test_aMessageWithinAMessageWaits() public {
        receiver.set(true, false);
        bytes memory message = abi.encodeCall(Receiver.take, ());
        deliver(V1, address(receiver), 0, 100_000, message);
        receiver.set(false, false);
        receiver.arm(relayCall(V1, address(receiver), 0, 100_000, message));
        deliver(V1 + 1, address(receiver), 0, 900_000, message);
        vm.assertTrue(!receiver.nestedOk(), "refused");
        vm.assertTrue(
            !messenger.successfulMessages(hashOf(V1, address(receiver), 0, 100_000, message)), "not delivered"
        );
        receiver.arm("");
        messenger.relayMessage(V1, USER, address(receiver), 0, 100_000, message);
        vm.assertTrue(messenger.successfulMessages(hashOf(V1, address(receiver), 0, 100_000, message)), "later");
    }

    /// @dev Who replays a message of his own cannot have somebody else's fail within it.
    function test_aFirstDeliveryWithinAReplayStaysPayable() public {
        receiver.set(true, false);
        bytes memory message = abi.encodeCall(Receiver.take, ());
        deliver(V1, address(receiver), 0, 900_000, message);
        receiver.set(false, false);
        Types.WithdrawalTransaction memory victim = Types.WithdrawalTransaction(
            V1 + 7,
            L2_MESSENGER,
            address(messenger),
            0,
            400_000,
            relayCall(V1 + 7, address(receiver), 0, 100_000, message)
        );
        settle(proveAs(USER, victim, 70));
        receiver.armAt(
            address(portal), abi.encodeCall(Portal.finalizeWithdrawalTransactionExternalProof, (victim, USER))
        );
        messenger.relayMessage(V1, USER, address(receiver), 0, 900_000, message);
        vm.assertTrue(!receiver.nestedOk(), "refused");
        vm.assertTrue(!portal.finalizedWithdrawals(Hashing.hashWithdrawal(victim)), "still payable");
        receiver.armAt(address(portal), "");
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(victim);
        bytes32 hash = hashOf(V1 + 7, address(receiver), 0, 100_000, message);
        vm.assertTrue(messenger.successfulMessages(hash) && !messenger.failedMessages(hash), "delivered");
    }

    function test_aMessageCannotDeliverItselfTwice() public {
        receiver.set(true, false);
        bytes memory message = abi.encodeCall(Receiver.take, ());
        deliver(V1, address(receiver), 1 ether, 900_000, message);
        receiver.set(false, false);
        receiver.arm(relayCall(V1, address(receiver), 1 ether, 900_000, message));
        messenger.relayMessage(V1, USER, address(receiver), 1 ether, 900_000, message);
        vm.assertTrue(!receiver.nestedOk(), "refused inside");
        vm.assertEq(address(receiver).balance, 1 ether, "paid once");
    }

    function test_onlyL2sMessengerIsBelieved() public {
        bytes memory message = abi.encodeCall(Receiver.take, ());
        bytes32 hash = hashOf(V1, address(receiver), 0, 0, message);
        vm.expectRevert(abi.encodeWithSelector(L1CrossDomainMessenger.NotReplayable.selector, hash));
        vm.prank(address(portal));
        messenger.relayMessage(V1, USER, address(receiver), 0, 0, message);

        Types.WithdrawalTransaction memory w = Types.WithdrawalTransaction(
            V1, USER, address(messenger), 0, 900_000, relayCall(V1, address(receiver), 0, 0, message)
        );
        settle(proveAs(USER, w, 10));
        vm.expectRevert(abi.encodeWithSelector(Portal.WithdrawalCallFailed.selector, Hashing.hashWithdrawal(w)));
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
    }

    function test_unsafeTargetsVersionsAndPausesAreRefused() public {
        vm.expectRevert(abi.encodeWithSelector(L1CrossDomainMessenger.UnknownVersion.selector, 0));
        messenger.relayMessage(0, USER, TARGET, 0, 0, "");
        vm.expectRevert(abi.encodeWithSelector(L1CrossDomainMessenger.UnknownVersion.selector, 2));
        messenger.relayMessage(2 << 240, USER, TARGET, 0, 0, "");
        for (uint256 i = 0; i < 2; i++) {
            address target = i == 0 ? address(portal) : address(messenger);
            Types.WithdrawalTransaction memory w = Types.WithdrawalTransaction(
                V1, L2_MESSENGER, address(messenger), 0, 900_000, relayCall(V1, target, 0, 0, "")
            );
            settle(proveAs(USER, w, 20 + i));
            vm.expectRevert(abi.encodeWithSelector(Portal.WithdrawalCallFailed.selector, Hashing.hashWithdrawal(w)));
            vm.prank(USER);
            portal.finalizeWithdrawalTransaction(w);
        }
        vm.prank(GUARDIAN);
        pause.pause();
        vm.expectRevert(abi.encodeWithSelector(L1CrossDomainMessenger.CallPaused.selector, pause.expiration()));
        messenger.relayMessage(V1, USER, TARGET, 0, 0, "");
    }

    function test_whatClientsRead() public view {
        vm.assertEq(messenger.otherMessenger(), L2_MESSENGER, "other messenger");
        vm.assertEq(address(messenger.portal()), address(portal), "portal");
        vm.assertEq(address(messenger.PORTAL()), address(portal), "PORTAL");
        vm.assertEq(messenger.version(), "2.0.0", "version");
    }

    function test_baseGasOfLongMessagesIsTheFloor() public view {
        vm.assertEq(messenger.baseGas("", 0), 21_000 + 285_000 + 260 * 16, "short");
        vm.assertEq(messenger.baseGas(new bytes(100_000), 0), 21_000 + 100_260 * 40, "long");
    }

    function testFuzz_baseGasIsEnoughForThePortal(uint32 minGas, uint16 length) public {
        bytes memory message = new bytes(length);
        minGas = uint32(bound(minGas, 0, 10_000_000));
        messenger.sendMessage(TARGET, message, minGas);
        uint64 gas = messenger.baseGas(message, minGas);
        bytes memory call = relayCall(V1, TARGET, 0, minGas, message);
        vm.assertTrue(gas >= portal.minimumGasLimit(uint64(call.length)), "floor");
        vm.assertTrue(gas > minGas, "the target's gas");
    }
}
