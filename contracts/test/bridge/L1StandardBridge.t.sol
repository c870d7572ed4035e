// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import {L1CrossDomainMessenger} from "../../src/bridge/L1CrossDomainMessenger.sol";
import {L1StandardBridge} from "../../src/bridge/L1StandardBridge.sol";
import {IStandardBridge} from "../../src/interfaces/IStandardBridge.sol";
import {Hashing} from "../../src/libraries/Hashing.sol";
import {Types} from "../../src/libraries/Types.sol";
import {Vm} from "../Base.sol";
import {World} from "../World.sol";
import {
    AccruingToken,
    FalseToken,
    FeeToken,
    NoReturnToken,
    PlainToken,
    RebasingToken,
    ReentrantToken,
    SurchargeToken
} from "../tokens/Tokens.sol";

/// @notice What all tests of the standard bridge start from.
abstract contract BridgeWorld is World {
    address internal constant L2_TOKEN = address(0x12702);
    uint256 internal constant V1 = 1 << 240;
    uint256 internal sent; // messages from L2 so far

    /// @dev Takes a message of L2's bridge to the bridge, through portal and messenger.
    ///      Returns its hash in the messenger.
    function fromL2(uint256 value, bytes memory message) internal returns (bytes32) {
        uint256 nonce = V1 + sent++;
        bytes memory call = abi.encodeCall(
            L1CrossDomainMessenger.relayMessage, (nonce, L2_BRIDGE, address(bridge), value, 300_000, message)
        );
        Types.WithdrawalTransaction memory w =
            Types.WithdrawalTransaction(nonce, L2_MESSENGER, address(messenger), value, 800_000, call);
        settle(proveAs(USER, w, 10 + sent));
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
        return Hashing.hashCrossDomainMessageV1(nonce, L2_BRIDGE, address(bridge), value, 300_000, message);
    }

    function tokensBack(address token, address to, uint256 amount) internal pure returns (bytes memory) {
        return abi.encodeCall(IStandardBridge.finalizeBridgeERC20, (token, L2_TOKEN, RELAY, to, amount, hex"01"));
    }

    /// @dev The messages of the latest call to L2's bridge, from the messenger's events.
    function messageToL2() internal returns (bytes memory message) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].emitter != address(messenger) || logs[i].topics.length != 2) continue;
            if (logs[i].topics[0] != keccak256("SentMessage(address,address,bytes,uint256,uint256)")) continue;
            vm.assertEq(logs[i].topics[1], bytes32(uint256(uint160(L2_BRIDGE))), "target of the message");
            (, message,,) = abi.decode(logs[i].data, (address, bytes, uint256, uint256));
        }
    }
}

contract L1StandardBridgeTest is BridgeWorld {
    PlainToken internal token;

    function setUp() public {
        deployWorld(IERC20(address(0)));
        vm.deal(USER, 100 ether);
        token = new PlainToken();
        token.mint(USER, 1000);
        vm.prank(USER);
        token.approve(address(bridge), type(uint256).max);
    }

    function expectEther(address to, uint256 amount, bytes memory extra) internal {
        vm.assertEq(
            messageToL2(), abi.encodeCall(IStandardBridge.finalizeBridgeETH, (USER, to, amount, extra)), "message"
        );
        vm.assertEq(address(portal).balance, amount, "locked in the portal");
    }

    function test_etherGoesToL2ByEveryWay() public {
        vm.startPrank(USER, USER);
        vm.recordLogs();
        bridge.depositETH{value: 1}(50_000, hex"aa");
        expectEther(USER, 1, hex"aa");
        vm.deal(address(portal), 0);
        vm.recordLogs();
        bridge.bridgeETH{value: 2}(50_000, hex"bb");
        expectEther(USER, 2, hex"bb");
        vm.deal(address(portal), 0);
        vm.recordLogs();
        bridge.depositETHTo{value: 3}(TARGET, 50_000, hex"cc");
        expectEther(TARGET, 3, hex"cc");
        vm.deal(address(portal), 0);
        vm.recordLogs();
        bridge.bridgeETHTo{value: 4}(TARGET, 50_000, hex"dd");
        expectEther(TARGET, 4, hex"dd");
        vm.deal(address(portal), 0);
        vm.recordLogs();
        (bool ok,) = address(bridge).call{value: 5}("");
        vm.assertTrue(ok, "transfer");
        expectEther(USER, 5, "");
        vm.stopPrank();
    }

    function test_aContractNamesItsReceiver() public {
        vm.expectRevert(abi.encodeWithSelector(L1StandardBridge.NotExternallyOwned.selector, address(this)));
        bridge.depositETH{value: 1}(0, "");
        vm.expectRevert(abi.encodeWithSelector(L1StandardBridge.NotExternallyOwned.selector, address(this)));
        bridge.bridgeERC20(address(token), L2_TOKEN, 1, 0, "");
        bridge.depositETHTo{value: 1}(USER, 0, "");
    }

    function test_etherComesBack() public {
        vm.deal(address(portal), 5 ether);
        fromL2(5 ether, abi.encodeCall(IStandardBridge.finalizeBridgeETH, (RELAY, TARGET, 5 ether, "")));
        vm.assertEq(TARGET.balance, 5 ether, "paid");
    }

    function test_etherThatIsRefusedWaits() public {
        vm.deal(address(portal), 5 ether);
        bytes memory message = abi.encodeCall(IStandardBridge.finalizeBridgeETH, (RELAY, address(token), 5 ether, ""));
        bytes32 hash = fromL2(5 ether, message);
        vm.assertTrue(messenger.failedMessages(hash), "failed");
        vm.assertEq(address(messenger).balance, 5 ether, "ether waits");
        bytes32 wrong = fromL2(0, abi.encodeCall(IStandardBridge.finalizeBridgeETH, (RELAY, TARGET, 1, "")));
        vm.assertTrue(messenger.failedMessages(wrong), "other value");
    }

    function test_tokensGoToL2AndComeBack() public {
        vm.recordLogs();
        vm.prank(USER, USER);
        bridge.depositERC20(address(token), L2_TOKEN, 300, 100_000, hex"02");
        vm.assertEq(
            messageToL2(),
            abi.encodeCall(IStandardBridge.finalizeBridgeERC20, (L2_TOKEN, address(token), USER, USER, 300, hex"02")),
            "message"
        );
        vm.startPrank(USER, USER);
        bridge.bridgeERC20(address(token), L2_TOKEN, 10, 0, "");
        bridge.depositERC20To(address(token), L2_TOKEN, TARGET, 20, 0, "");
        bridge.bridgeERC20To(address(token), L2_TOKEN, TARGET, 30, 0, "");
        vm.stopPrank();
        vm.assertEq(bridge.deposits(address(token), L2_TOKEN), 360, "owed to the pair");
        vm.assertEq(bridge.owed(address(token)), 360, "owed");
        fromL2(0, tokensBack(address(token), TARGET, 300));
        vm.assertEq(token.balanceOf(TARGET), 300, "paid");
        vm.assertEq(bridge.owed(address(token)), 60, "owed less");
        bytes32 hash = fromL2(0, tokensBack(address(token), TARGET, 61));
        vm.assertTrue(messenger.failedMessages(hash), "more than is owed");
    }

    function test_whatArrivesOfAFeeTokenIsCredited() public {
        FeeToken fee = new FeeToken();
        fee.mint(USER, 1000);
        vm.startPrank(USER, USER);
        fee.approve(address(bridge), 1000);
        vm.recordLogs();
        bridge.depositERC20(address(fee), L2_TOKEN, 1000, 0, "");
        vm.stopPrank();
        vm.assertEq(
            messageToL2(),
            abi.encodeCall(IStandardBridge.finalizeBridgeERC20, (L2_TOKEN, address(fee), USER, USER, 990, "")),
            "message"
        );
        vm.assertEq(fee.balanceOf(address(bridge)), bridge.owed(address(fee)), "covered");
        fromL2(0, tokensBack(address(fee), TARGET, 990));
        vm.assertEq(fee.balanceOf(TARGET), 981, "the token's fee again");
        vm.assertEq(bridge.owed(address(fee)), 0, "settled");
    }

    function test_growthBookedWithATransferIsNotTheSenders() public {
        AccruingToken lazy = new AccruingToken();
        lazy.mint(USER, 1001);
        vm.startPrank(USER, USER);
        lazy.approve(address(bridge), 1001);
        bridge.depositERC20(address(lazy), L2_TOKEN, 1000, 0, "");
        lazy.accrue(address(bridge), 50);
        bridge.depositERC20(address(lazy), L2_TOKEN, 1, 0, "");
        vm.stopPrank();
        vm.assertEq(lazy.balanceOf(address(bridge)), 1051, "held");
        vm.assertEq(bridge.deposits(address(lazy), L2_TOKEN), 1001, "credited");
        vm.assertEq(bridge.owed(address(lazy)), 1001, "owed");
    }

    function test_aTokenMayNotTakeMoreThanTheAmount() public {
        SurchargeToken sur = new SurchargeToken();
        sur.mint(USER, 2000);
        vm.startPrank(USER, USER);
        sur.approve(address(bridge), 2000);
        bridge.depositERC20(address(sur), L2_TOKEN, 1000, 0, "");
        vm.stopPrank();
        bytes32 hash = fromL2(0, tokensBack(address(sur), TARGET, 500));
        vm.assertTrue(messenger.failedMessages(hash), "refused");
        vm.assertEq(sur.balanceOf(address(bridge)), 1000, "untouched");
        vm.assertEq(bridge.owed(address(sur)), 1000, "owed");
    }

    function test_aTokenWithoutReturnValuesPasses() public {
        NoReturnToken odd = new NoReturnToken();
        odd.mint(USER, 10);
        vm.startPrank(USER, USER);
        odd.approve(address(bridge), 10);
        bridge.depositERC20(address(odd), L2_TOKEN, 10, 0, "");
        vm.stopPrank();
        fromL2(0, tokensBack(address(odd), TARGET, 10));
        vm.assertEq(odd.balanceOf(TARGET), 10, "paid");
    }

    function test_aTokenThatSaysNoIsBelieved() public {
        FalseToken no = new FalseToken();
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(no)));
        vm.prank(USER, USER);
        bridge.depositERC20(address(no), L2_TOKEN, 10, 0, "");
    }

    function test_nothingArrivedIsNoDeposit() public {
        vm.expectRevert(abi.encodeWithSelector(L1StandardBridge.NothingArrived.selector, address(token)));
        vm.prank(USER, USER);
        bridge.depositERC20(address(token), L2_TOKEN, 0, 0, "");
    }

    function test_aTokenThatShrankTakesNoMoreDeposits() public {
        RebasingToken reb = new RebasingToken();
        reb.mint(USER, 1000);
        vm.startPrank(USER, USER);
        reb.approve(address(bridge), 1000);
        bridge.depositERC20(address(reb), L2_TOKEN, 500, 0, "");
        reb.shrink(address(bridge), 1);
        vm.expectRevert(abi.encodeWithSelector(L1StandardBridge.EscrowShort.selector, address(reb), 499, 500));
        bridge.depositERC20(address(reb), L2_TOKEN, 500, 0, "");
        vm.stopPrank();
    }

    function announced(bytes32 topic) internal returns (bool) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].topics[0] == topic) return true;
        }
        return false;
    }

    /// @dev Who comes first gets no more of what is left than who comes last.
    function test_aTokenThatShrankIsPaidInProportion() public {
        RebasingToken reb = new RebasingToken();
        reb.mint(USER, 1000);
        vm.startPrank(USER, USER);
        reb.approve(address(bridge), 1000);
        bridge.depositERC20(address(reb), L2_TOKEN, 1000, 0, "");
        vm.stopPrank();
        reb.shrink(address(bridge), 400);
        vm.recordLogs();
        fromL2(0, tokensBack(address(reb), TARGET, 500));
        vm.assertEq(reb.balanceOf(TARGET), 300, "the first");
        vm.assertTrue(announced(keccak256("PaidInProportion(address,address,uint256,uint256)")), "announced");
        fromL2(0, tokensBack(address(reb), RELAY, 500));
        vm.assertEq(reb.balanceOf(RELAY), 300, "the last");
        vm.assertEq(bridge.owed(address(reb)), 0, "owed");
    }

    function test_aTokenOfWhichNothingIsLeftWaits() public {
        RebasingToken reb = new RebasingToken();
        reb.mint(USER, 1000);
        vm.startPrank(USER, USER);
        reb.approve(address(bridge), 1000);
        bridge.depositERC20(address(reb), L2_TOKEN, 1000, 0, "");
        vm.stopPrank();
        reb.shrink(address(bridge), 1000);
        bytes32 hash = fromL2(0, tokensBack(address(reb), TARGET, 500));
        vm.assertTrue(messenger.failedMessages(hash), "waits");
        vm.assertEq(bridge.owed(address(reb)), 1000, "owed");
    }

    function test_refusedTokensMayOnlyLeave() public {
        vm.prank(USER, USER);
        bridge.depositERC20(address(token), L2_TOKEN, 10, 0, "");
        vm.expectRevert();
        vm.prank(USER);
        bridge.setRefused(address(token), true);
        vm.prank(OWNER);
        bridge.setRefused(address(token), true);
        vm.expectRevert(abi.encodeWithSelector(L1StandardBridge.TokenRefused.selector, address(token)));
        vm.prank(USER, USER);
        bridge.depositERC20(address(token), L2_TOKEN, 10, 0, "");
        fromL2(0, tokensBack(address(token), TARGET, 10));
        vm.assertEq(token.balanceOf(TARGET), 10, "paid");

        address[] memory names = new address[](1);
        names[0] = TARGET;
        L1StandardBridge other = L1StandardBridge(
            payable(proxied(
                    address(new L1StandardBridge(messenger, pause, address(0))),
                    abi.encodeCall(L1StandardBridge.initialize, (OWNER, names))
                ))
        );
        vm.assertTrue(other.refused(TARGET), "refused from the start");
    }

    function test_aReentrantTokenCountsOnce() public {
        ReentrantToken ree = new ReentrantToken();
        ree.mint(USER, 1000);
        vm.prank(USER);
        ree.approve(address(bridge), 1000);
        ree.arm(
            address(bridge), abi.encodeCall(L1StandardBridge.depositERC20To, (address(ree), L2_TOKEN, USER, 5, 0, ""))
        );
        vm.prank(USER, USER);
        bridge.depositERC20(address(ree), L2_TOKEN, 100, 0, "");
        vm.assertTrue(!ree.succeeded(), "entered again");
        vm.assertEq(bridge.owed(address(ree)), ree.balanceOf(address(bridge)), "covered");
    }

    function test_othersCannotFinalise() public {
        vm.expectRevert(abi.encodeWithSelector(L1StandardBridge.NotOtherBridge.selector, USER));
        vm.prank(USER);
        bridge.finalizeBridgeERC20(address(token), L2_TOKEN, USER, USER, 1, "");
        bytes memory message = tokensBack(address(token), TARGET, 1);
        bytes memory call =
            abi.encodeCall(L1CrossDomainMessenger.relayMessage, (V1, USER, address(bridge), 0, 300_000, message));
        Types.WithdrawalTransaction memory w =
            Types.WithdrawalTransaction(V1, L2_MESSENGER, address(messenger), 0, 800_000, call);
        settle(proveAs(USER, w, 10));
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
        vm.assertTrue(
            messenger.failedMessages(Hashing.hashCrossDomainMessageV1(V1, USER, address(bridge), 0, 300_000, message)),
            "another sender on L2"
        );
    }

    function test_whatClientsRead() public view {
        vm.assertEq(address(bridge.messenger()), address(messenger), "messenger");
        vm.assertEq(address(bridge.MESSENGER()), address(messenger), "MESSENGER");
        vm.assertEq(bridge.otherBridge(), L2_BRIDGE, "other bridge");
        vm.assertEq(bridge.l2TokenBridge(), L2_BRIDGE, "bridge of tokens");
        vm.assertEq(bridge.version(), "2.1.1", "version");
    }

    function testFuzz_depositsOfAFeeTokenAreCovered(uint128[8] calldata amounts) public {
        FeeToken fee = new FeeToken();
        vm.prank(USER);
        fee.approve(address(bridge), type(uint256).max);
        for (uint256 i = 0; i < amounts.length; i++) {
            uint256 amount = bound(amounts[i], 1, type(uint128).max);
            fee.mint(USER, amount);
            vm.prank(USER, USER);
            bridge.depositERC20(address(fee), L2_TOKEN, amount, 0, "");
            vm.assertEq(bridge.owed(address(fee)), fee.balanceOf(address(bridge)), "covered");
        }
    }
}
