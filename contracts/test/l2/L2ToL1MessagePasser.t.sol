// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {L2ToL1MessagePasser} from "../../src/l2/L2ToL1MessagePasser.sol";
import {Base} from "../Base.sol";

contract L2ToL1MessagePasserTest is Base {
    event MessagePassed(
        uint256 indexed nonce,
        address indexed sender,
        address indexed target,
        uint256 value,
        uint256 gasLimit,
        bytes data,
        bytes32 withdrawalHash
    );

    address internal constant USER = address(0xA11CE);
    uint256 internal constant FIRST_NONCE = 1 << 240;

    L2ToL1MessagePasser internal passer;

    function setUp() public {
        passer = new L2ToL1MessagePasser();
        vm.deal(USER, 1000 ether);
    }

    function test_nonceCarriesItsVersion() public {
        vm.assertEq(passer.messageNonce(), FIRST_NONCE, "first nonce");
        passer.initiateWithdrawal(USER, 0, "");
        vm.assertEq(passer.messageNonce(), FIRST_NONCE + 1, "second nonce");
    }

    function test_plainTransferWithdrawsToTheSender() public {
        bytes32 hash = keccak256(abi.encode(FIRST_NONCE, USER, USER, 5 ether, 100_000, bytes("")));
        vm.prank(USER);
        (bool ok,) = address(passer).call{value: 5 ether}("");
        vm.assertTrue(ok, "transfer");
        vm.assertTrue(passer.sentMessages(hash), "sent");
    }

    function test_equalMessagesHaveDifferentHashes() public {
        vm.recordLogs();
        passer.initiateWithdrawal(USER, 1, "x");
        passer.initiateWithdrawal(USER, 1, "x");
        bytes32 first = keccak256(abi.encode(FIRST_NONCE, address(this), USER, 0, 1, bytes("x")));
        bytes32 second = keccak256(abi.encode(FIRST_NONCE + 1, address(this), USER, 0, 1, bytes("x")));
        vm.assertTrue(first != second && passer.sentMessages(first) && passer.sentMessages(second), "both sent");
    }

    function testFuzz_messageIsRecordedAndEmitted(
        address sender,
        address target,
        uint256 value,
        uint256 gasLimit,
        bytes calldata data
    ) public {
        value = bound(value, 0, 1000 ether);
        vm.deal(sender, value);
        vm.assume(sender != address(passer));
        bytes32 hash = keccak256(abi.encode(FIRST_NONCE, sender, target, value, gasLimit, data));
        vm.assertTrue(!passer.sentMessages(hash), "not sent before");

        vm.expectEmit(address(passer));
        emit MessagePassed(FIRST_NONCE, sender, target, value, gasLimit, data, hash);
        vm.prank(sender);
        passer.initiateWithdrawal{value: value}(target, gasLimit, data);

        vm.assertTrue(passer.sentMessages(hash), "sent");
        vm.assertEq(vm.load(address(passer), keccak256(abi.encode(hash, 0))), bytes32(uint256(1)), "slot of the proof");
        vm.assertEq(address(passer).balance, value, "ether kept");
    }

    function test_version() public view {
        vm.assertEq(bytes(passer.version()), "0.1.0", "version");
    }
}
