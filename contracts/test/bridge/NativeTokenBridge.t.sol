// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {NativeTokenBridge} from "../../src/bridge/NativeTokenBridge.sol";
import {Portal} from "../../src/bridge/Portal.sol";
import {INativeEscrow} from "../../src/interfaces/INativeEscrow.sol";
import {IStandardBridge} from "../../src/interfaces/IStandardBridge.sol";
import {AddressAlias} from "../../src/libraries/AddressAlias.sol";
import {Hashing} from "../../src/libraries/Hashing.sol";
import {Types} from "../../src/libraries/Types.sol";
import {Vm} from "../Base.sol";
import {FeeToken, PlainToken, ReentrantToken, SurchargeToken} from "../tokens/Tokens.sol";
import {BridgeWorld} from "./L1StandardBridge.t.sol";

contract NativeTokenBridgeTest is BridgeWorld {
    PlainToken internal token;

    function setUp() public {
        token = new PlainToken();
        deployWorld(token);
        token.mint(USER, 1000 ether);
        vm.prank(USER);
        token.approve(address(nativeBridge), type(uint256).max);
        vm.deal(USER, 100 ether);
    }

    function expectDeposit(address from, address to, bytes memory opaqueData) internal {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        Vm.Log memory last = logs[logs.length - 1];
        vm.assertEq(last.emitter, address(portal), "emitter");
        vm.assertEq(last.topics[1], bytes32(uint256(uint160(from))), "from");
        vm.assertEq(last.topics[2], bytes32(uint256(uint160(to))), "to");
        vm.assertEq(abi.decode(last.data, (bytes)), opaqueData, "opaque data");
    }

    function test_lockedTokensAreMintedToTheirSender() public {
        vm.recordLogs();
        vm.prank(USER, USER);
        nativeBridge.depositERC20Transaction(TARGET, 5 ether, 2 ether, 100_000, false, hex"c0ffee");
        expectDeposit(
            USER, TARGET, abi.encodePacked(uint256(5 ether), uint256(2 ether), uint64(100_000), false, hex"c0ffee")
        );
        vm.assertEq(nativeBridge.locked(), 5 ether, "locked");
        vm.assertEq(token.balanceOf(address(nativeBridge)), 5 ether, "held");
        vm.assertEq(nativeBridge.version(), "1.0.0", "version");
    }

    function test_aContractIsAliasedHereToo() public {
        vm.recordLogs();
        nativeBridge.depositERC20Transaction(TARGET, 0, 0, 100_000, false, "");
        expectDeposit(
            AddressAlias.toL2(address(this)), TARGET, abi.encodePacked(uint256(0), uint256(0), uint64(100_000), false)
        );
    }

    function test_etherIsNotMinted() public {
        vm.expectRevert(Portal.EtherIsNotNative.selector);
        vm.prank(USER, USER);
        portal.depositTransaction{value: 1}(TARGET, 0, 100_000, false, "");
        vm.prank(USER, USER);
        (bool ok,) = address(portal).call{value: 1}("");
        vm.assertTrue(!ok, "transfer");
        vm.prank(USER, USER);
        portal.depositTransaction(TARGET, 1 ether, 100_000, false, "");
    }

    function test_onlyTheEscrowMintsAndOnlyThePortalReleases() public {
        vm.expectRevert(abi.encodeWithSelector(Portal.NotNativeEscrow.selector, USER));
        vm.prank(USER);
        portal.depositNative(USER, TARGET, 1, 0, 100_000, false, "");
        vm.expectRevert(abi.encodeWithSelector(NativeTokenBridge.NotPortal.selector, USER));
        vm.prank(USER);
        nativeBridge.release(USER, 1);
    }

    function test_aWithdrawalIsPaidInTokens() public {
        vm.prank(USER, USER);
        nativeBridge.depositERC20Transaction(TARGET, 5 ether, 0, 100_000, false, "");
        Types.WithdrawalTransaction memory w = withdrawalOf(0, 3 ether);
        settle(proveAs(USER, w, 10));
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
        vm.assertEq(token.balanceOf(TARGET), 3 ether, "paid");
        vm.assertEq(nativeBridge.locked(), 2 ether, "locked");
        vm.assertEq(TARGET.balance, 0, "no ether");
    }

    function test_aWithdrawalCannotCommandTheEscrow() public {
        Types.WithdrawalTransaction memory w = withdrawalOf(0, 0);
        w.target = address(nativeBridge);
        w.data = abi.encodeCall(INativeEscrow.release, (USER, 1 ether));
        (Types.OutputRootProof memory output, bytes[] memory proof) = outputWith(w);
        vm.expectRevert(Portal.OptimismPortal_BadTarget.selector);
        portal.proveWithdrawalTransaction(w, 0, output, proof);
        vm.expectRevert(Portal.OptimismPortal_BadTarget.selector);
        portal.finalizeWithdrawalTransaction(w);
    }

    function test_moreThanIsLockedIsNotPaid() public {
        Types.WithdrawalTransaction memory w = withdrawalOf(0, 3 ether);
        settle(proveAs(USER, w, 10));
        vm.expectRevert();
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
        vm.assertTrue(!portal.finalizedWithdrawals(Hashing.hashWithdrawal(w)), "not lost");
    }

    function test_tokensThatTakeFeesAreNoCurrency() public {
        FeeToken fee = new FeeToken();
        deployWorld(fee);
        fee.mint(USER, 1000);
        vm.startPrank(USER, USER);
        fee.approve(address(nativeBridge), 1000);
        vm.expectRevert(abi.encodeWithSelector(NativeTokenBridge.AmountChanged.selector, 1000, 990));
        nativeBridge.depositERC20Transaction(TARGET, 1000, 0, 100_000, false, "");
        vm.stopPrank();

        SurchargeToken sur = new SurchargeToken();
        deployWorld(sur);
        sur.mint(USER, 2000);
        vm.startPrank(USER, USER);
        sur.approve(address(nativeBridge), 2000);
        nativeBridge.depositERC20Transaction(TARGET, 1000, 0, 100_000, false, "");
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(NativeTokenBridge.AmountChanged.selector, 100, 101));
        vm.prank(address(portal));
        nativeBridge.release(TARGET, 100);
    }

    function test_aReentrantTokenMintsWhatArrives() public {
        ReentrantToken ree = new ReentrantToken();
        deployWorld(ree);
        ree.mint(USER, 1000);
        vm.prank(USER);
        ree.approve(address(nativeBridge), 1000);
        ree.arm(
            address(nativeBridge),
            abi.encodeCall(NativeTokenBridge.depositERC20Transaction, (TARGET, 0, 0, 100_000, false, ""))
        );
        vm.prank(USER, USER);
        nativeBridge.depositERC20Transaction(TARGET, 100, 0, 100_000, false, "");
        vm.assertTrue(!ree.succeeded(), "entered again");
        vm.assertEq(nativeBridge.locked(), 100, "locked");
    }

    function test_etherIsBridgedAsAToken() public {
        vm.recordLogs();
        vm.prank(USER, USER);
        bridge.depositETH{value: 7 ether}(100_000, hex"01");
        vm.assertEq(
            messageToL2(),
            abi.encodeCall(
                IStandardBridge.finalizeBridgeERC20, (L2_ETHER, bridge.ETHER(), USER, USER, 7 ether, hex"01")
            ),
            "message"
        );
        vm.assertEq(address(bridge).balance, 7 ether, "held by the bridge");
        vm.assertEq(bridge.deposits(bridge.ETHER(), L2_ETHER), 7 ether, "owed");
        fromL2(
            0,
            abi.encodeCall(IStandardBridge.finalizeBridgeERC20, (bridge.ETHER(), L2_ETHER, USER, TARGET, 3 ether, ""))
        );
        vm.assertEq(TARGET.balance, 3 ether, "paid");
        vm.assertEq(bridge.owed(bridge.ETHER()), 4 ether, "owed less");
        bytes32 hash = fromL2(0, abi.encodeCall(IStandardBridge.finalizeBridgeETH, (USER, TARGET, 0, "")));
        vm.assertTrue(messenger.failedMessages(hash), "no native ether comes back");
        vm.deal(address(messenger), 0);
        vm.expectRevert(Portal.EtherIsNotNative.selector);
        vm.prank(USER, USER);
        messenger.sendMessage{value: 1}(TARGET, "", 0);
    }

    function testFuzz_lockedIsMintedLessWithdrawn(uint128[6] calldata amounts) public {
        uint256 balance;
        for (uint256 i = 0; i < amounts.length; i++) {
            uint256 amount = bound(amounts[i], 1, 100 ether);
            if (i % 2 == 0) {
                vm.prank(USER, USER);
                nativeBridge.depositERC20Transaction(TARGET, amount, 0, 100_000, false, "");
                balance += amount;
                vm.roll(block.number + 1);
            } else {
                if (amount > balance) amount = balance;
                vm.prank(address(portal));
                nativeBridge.release(TARGET, amount);
                balance -= amount;
            }
            vm.assertEq(nativeBridge.locked(), balance, "locked");
            vm.assertEq(token.balanceOf(address(nativeBridge)), balance, "held");
        }
    }
}
