// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {ILegacyMintableERC20} from "../../src/l2/IOptimismMintableERC20.sol";
import {L2StandardBridge} from "../../src/l2/L2StandardBridge.sol";
import {OptimismMintableERC20} from "../../src/l2/OptimismMintableERC20.sol";
import {Predeploys} from "../../src/l2/Predeploys.sol";
import {L2Base, Target} from "./L2Base.sol";

contract L2StandardBridgeTest is L2Base {
    address internal constant L1_TOKEN = address(0x70131);
    OptimismMintableERC20 internal token;
    Target internal target;

    function setUp() public override {
        super.setUp();
        token = newToken(L1_TOKEN);
        target = new Target();
        vm.prank(address(bridge));
        token.mint(ALICE, 1000);
    }

    function ethCall(address from, address to, uint256 amount, bytes memory extra)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodeCall(L2StandardBridge.finalizeBridgeETH, (from, to, amount, extra));
    }

    function tokenCall(address local, address remote, address from, address to, uint256 amount)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodeCall(L2StandardBridge.finalizeBridgeERC20, (local, remote, from, to, amount, hex"e0"));
    }

    function checkSent(bytes memory want, uint256 wantValue, uint256 wantGas) internal {
        (address from, address to, uint256 value, uint256 gasLimit, bytes memory data) = sentMessage();
        vm.assertEq(from, address(bridge), "from the bridge");
        vm.assertEq(to, L1_BRIDGE, "to the bridge");
        vm.assertEq(value, wantValue, "value");
        vm.assertEq(gasLimit, wantGas, "gas");
        vm.assertEq(data, want, "data");
    }

    function test_etherIsWithdrawnInEveryWay() public {
        for (uint256 way = 0; way < 5; way++) {
            address to = way > 2 ? BOB : ALICE;
            bytes memory extra = way == 0 ? bytes("") : bytes(hex"e0");
            uint32 gasLimit = way == 0 ? 200_000 : 90_000;
            vm.recordLogs();
            vm.expectEmit(address(bridge));
            emit L2StandardBridge.WithdrawalInitiated(address(0), Predeploys.LEGACY_ERC20_ETH, ALICE, to, 9, extra);
            vm.expectEmit(address(bridge));
            emit L2StandardBridge.ETHBridgeInitiated(ALICE, to, 9, extra);
            vm.prank(ALICE, ALICE);
            if (way == 0) {
                (bool ok,) = address(bridge).call{value: 9}("");
                vm.assertTrue(ok, "plain transfer");
            } else if (way == 1) {
                bridge.bridgeETH{value: 9}(90_000, hex"e0");
            } else if (way == 2) {
                bridge.withdraw{value: 9}(Predeploys.LEGACY_ERC20_ETH, 9, 90_000, hex"e0");
            } else if (way == 3) {
                bridge.bridgeETHTo{value: 9}(BOB, 90_000, hex"e0");
            } else {
                bridge.withdrawTo{value: 9}(Predeploys.LEGACY_ERC20_ETH, BOB, 9, 90_000, hex"e0");
            }
            checkSent(ethCall(ALICE, to, 9, extra), 9, gasLimit);
        }
    }

    function test_tokensAreWithdrawnInEveryWay() public {
        for (uint256 way = 0; way < 4; way++) {
            address to = way > 1 ? BOB : ALICE;
            vm.recordLogs();
            vm.expectEmit(address(token));
            emit OptimismMintableERC20.Burn(ALICE, 10);
            vm.expectEmit(address(bridge));
            emit L2StandardBridge.WithdrawalInitiated(L1_TOKEN, address(token), ALICE, to, 10, hex"e0");
            vm.expectEmit(address(bridge));
            emit L2StandardBridge.ERC20BridgeInitiated(address(token), L1_TOKEN, ALICE, to, 10, hex"e0");
            vm.prank(ALICE, ALICE);
            if (way == 0) bridge.bridgeERC20(address(token), L1_TOKEN, 10, 90_000, hex"e0");
            else if (way == 1) bridge.withdraw(address(token), 10, 90_000, hex"e0");
            else if (way == 2) bridge.bridgeERC20To(address(token), L1_TOKEN, BOB, 10, 90_000, hex"e0");
            else bridge.withdrawTo(address(token), BOB, 10, 90_000, hex"e0");
            checkSent(tokenCall(L1_TOKEN, address(token), ALICE, to, 10), 0, 90_000);
        }
        vm.assertEq(token.totalSupply(), 960, "burned");
    }

    function test_contractsMustNameARecipient() public {
        bytes memory refusal = abi.encodeWithSelector(L2StandardBridge.NotExternallyOwned.selector, ALICE);
        vm.etch(ALICE, hex"00");
        for (uint256 way = 0; way < 4; way++) {
            if (way < 3) vm.expectRevert(refusal);
            vm.prank(ALICE, BOB);
            if (way == 0) bridge.bridgeETH{value: 1}(0, "");
            else if (way == 1) bridge.bridgeERC20(address(token), L1_TOKEN, 1, 0, "");
            else if (way == 2) bridge.withdraw(address(token), 1, 0, "");
            else bridge.bridgeERC20To(address(token), L1_TOKEN, BOB, 1, 0, "");
        }
    }

    function test_valueMustBeTheAmount() public {
        vm.expectRevert(abi.encodeWithSelector(L2StandardBridge.WrongValue.selector, 1, 2));
        vm.prank(ALICE, ALICE);
        bridge.withdraw{value: 1}(Predeploys.LEGACY_ERC20_ETH, 2, 0, "");
        vm.expectRevert(abi.encodeWithSelector(L2StandardBridge.WrongValue.selector, 1, 0));
        vm.prank(ALICE, ALICE);
        bridge.withdraw{value: 1}(address(token), 2, 0, "");
    }

    function test_etherIsNoneWithAGasToken() public {
        useGasToken();
        vm.expectRevert(abi.encodeWithSelector(L2StandardBridge.EtherWithCustomGasToken.selector));
        vm.prank(ALICE, ALICE);
        bridge.bridgeETH{value: 1}(0, "");
        vm.prank(ALICE, ALICE);
        bridge.bridgeERC20(address(token), L1_TOKEN, 1, 0, "");
    }

    function test_tokensOfL2AreRefusedByName() public {
        vm.expectRevert(abi.encodeWithSelector(L2StandardBridge.NotMintable.selector, address(weth)));
        vm.prank(ALICE);
        bridge.bridgeERC20To(address(weth), L1_TOKEN, BOB, 1, 0, "");
        vm.expectRevert(abi.encodeWithSelector(L2StandardBridge.NotMintable.selector, BOB));
        vm.prank(ALICE);
        bridge.withdrawTo(BOB, BOB, 1, 0, "");
    }

    function test_aTokenHasOneRemoteToken() public {
        vm.expectRevert(abi.encodeWithSelector(L2StandardBridge.WrongRemoteToken.selector, address(token), BOB));
        vm.prank(ALICE);
        bridge.bridgeERC20To(address(token), BOB, BOB, 1, 0, "");
    }

    function test_tokensOfTheOlderKindAreBridged() public {
        LegacyToken old = new LegacyToken(L1_TOKEN);
        deliver(nonceOf(0), L1_BRIDGE, address(bridge), 0, tokenCall(address(old), L1_TOKEN, BOB, ALICE, 5));
        vm.assertEq(old.balanceOf(ALICE), 5, "minted");
        vm.recordLogs();
        vm.prank(ALICE);
        bridge.withdrawTo(address(old), BOB, 5, 0, hex"e0");
        vm.assertEq(old.balanceOf(ALICE), 0, "burned");
        checkSent(tokenCall(L1_TOKEN, address(old), ALICE, BOB, 5), 0, 0);
    }

    function test_etherArrives() public {
        vm.expectEmit(address(bridge));
        emit L2StandardBridge.DepositFinalized(address(0), Predeploys.LEGACY_ERC20_ETH, ALICE, BOB, 9, hex"e0");
        vm.expectEmit(address(bridge));
        emit L2StandardBridge.ETHBridgeFinalized(ALICE, BOB, 9, hex"e0");
        deliver(nonceOf(0), L1_BRIDGE, address(bridge), 9, ethCall(ALICE, BOB, 9, hex"e0"));
        vm.assertEq(BOB.balance, 9, "balance");
    }

    function test_tokensArrive() public {
        vm.expectEmit(address(bridge));
        emit L2StandardBridge.DepositFinalized(L1_TOKEN, address(token), ALICE, BOB, 9, hex"e0");
        vm.expectEmit(address(bridge));
        emit L2StandardBridge.ERC20BridgeFinalized(address(token), L1_TOKEN, ALICE, BOB, 9, hex"e0");
        deliver(nonceOf(0), L1_BRIDGE, address(bridge), 0, tokenCall(address(token), L1_TOKEN, ALICE, BOB, 9));
        vm.assertEq(token.balanceOf(BOB), 9, "balance");
    }

    function test_etherThatIsRefusedGoesBack() public {
        target.setFails(true);
        address[3] memory recipients = [address(target), address(bridge), address(messenger)];
        for (uint240 i = 0; i < 3; i++) {
            vm.recordLogs();
            vm.expectEmit(address(bridge));
            emit L2StandardBridge.DepositFailed(
                address(0), Predeploys.LEGACY_ERC20_ETH, ALICE, recipients[i], 9, hex"e0"
            );
            bytes32 hash = deliver(nonceOf(i), L1_BRIDGE, address(bridge), 9, ethCall(ALICE, recipients[i], 9, hex"e0"));
            vm.assertTrue(messenger.successfulMessages(hash), "the message is done");
            checkSent(ethCall(recipients[i], ALICE, 9, hex"e0"), 9, bridge.REFUND_GAS_LIMIT());
            vm.assertEq(address(bridge).balance + address(messenger).balance, 0, "nothing stays");
        }
    }

    function test_tokensThatCannotBeMintedGoBack() public {
        // No contract, no token, a token of another, one of another bridge, one that fails.
        address[5] memory tokens = [
            BOB,
            address(weth),
            address(newToken(BOB)),
            address(new OptimismMintableERC20(BOB, L1_TOKEN, "", "", 18)),
            address(new LegacyToken(L1_TOKEN))
        ];
        LegacyToken(tokens[4]).setFails(true);
        for (uint240 i = 0; i < 5; i++) {
            vm.recordLogs();
            vm.expectEmit(address(bridge));
            emit L2StandardBridge.DepositFailed(L1_TOKEN, tokens[i], ALICE, BOB, 9, hex"e0");
            bytes32 hash =
                deliver(nonceOf(i), L1_BRIDGE, address(bridge), 0, tokenCall(tokens[i], L1_TOKEN, ALICE, BOB, 9));
            vm.assertTrue(messenger.successfulMessages(hash), "the message is done");
            checkSent(tokenCall(L1_TOKEN, tokens[i], BOB, ALICE, 9), 0, bridge.REFUND_GAS_LIMIT());
        }
    }

    /// @dev The gas that bridges promise by default suffices for the way back.
    function test_theWayBackFitsIntoAMessagesGas() public {
        genesis.mockCall(address(messenger), abi.encodeCall(messenger.xDomainMessageSender, ()), abi.encode(L1_BRIDGE));
        vm.recordLogs();
        vm.prank(address(messenger));
        bridge.finalizeBridgeERC20{gas: 200_000}(address(weth), L1_TOKEN, ALICE, BOB, 9, hex"e0");
        checkSent(tokenCall(L1_TOKEN, address(weth), BOB, ALICE, 9), 0, bridge.REFUND_GAS_LIMIT());

        target.setFails(true);
        vm.recordLogs();
        vm.deal(address(messenger), 9);
        vm.prank(address(messenger));
        bridge.finalizeBridgeETH{gas: 200_000, value: 9}(ALICE, address(target), 9, hex"e0");
        checkSent(ethCall(address(target), ALICE, 9, hex"e0"), 9, bridge.REFUND_GAS_LIMIT());
    }

    /// @dev As on the chain: everything behind proxies, and a hungry token several calls
    ///      down. At no gas does want of it send the deposit back.
    function test_wantOfGasIsNeverARefund() public {
        GasHungry hungry = new GasHungry(L1_TOKEN, 4_000_000);
        Forwarder token_ = new Forwarder(address(new Forwarder(address(new Forwarder(address(hungry))))));
        bytes memory data = tokenCall(address(token_), L1_TOKEN, ALICE, BOB, 9);
        deliver2(nonceOf(0), data, 300_000);
        bytes32 hash = messageHash(nonceOf(0), L1_BRIDGE, address(bridge), 0, 200_000, data);
        for (uint256 gas = 300_000; gas < 4_200_000; gas += 300_000) {
            messenger.relayMessage{gas: gas}(nonceOf(0), L1_BRIDGE, address(bridge), 0, 200_000, data);
            vm.assertTrue(!messenger.successfulMessages(hash), "waits");
        }
        messenger.relayMessage{gas: 5_000_000}(nonceOf(0), L1_BRIDGE, address(bridge), 0, 200_000, data);
        vm.assertTrue(messenger.successfulMessages(hash), "delivered");
        vm.assertEq(hungry.minted(), 9, "minted");
    }

    /// @dev What fails with all the gas of `GIVE_GAS` goes back.
    function test_whatAlwaysRunsOutOfGasGoesBack() public {
        GasHungry hungry = new GasHungry(L1_TOKEN, type(uint256).max);
        bytes memory data = tokenCall(address(hungry), L1_TOKEN, ALICE, BOB, 9);
        bytes32 hash = deliver2(nonceOf(0), data, 6_000_000);
        vm.assertTrue(messenger.failedMessages(hash), "waits");
        vm.recordLogs();
        messenger.relayMessage{gas: 8_000_000}(nonceOf(0), L1_BRIDGE, address(bridge), 0, 200_000, data);
        vm.assertTrue(messenger.successfulMessages(hash), "done");
        checkSent(tokenCall(L1_TOKEN, address(hungry), BOB, ALICE, 9), 0, bridge.REFUND_GAS_LIMIT());
    }

    /// @dev The same for ether.
    function test_etherThatMayWantGasWaits() public {
        Burner burner = new Burner();
        vm.deal(address(messenger), 9);
        genesis.mockCall(address(messenger), abi.encodeCall(messenger.xDomainMessageSender, ()), abi.encode(L1_BRIDGE));
        vm.expectPartialRevert(L2StandardBridge.NeedsMoreGas.selector);
        vm.prank(address(messenger));
        bridge.finalizeBridgeETH{gas: 5_000_000, value: 9}(ALICE, address(burner), 9, "");
        vm.recordLogs();
        vm.prank(address(messenger));
        bridge.finalizeBridgeETH{gas: 16_000_000, value: 9}(ALICE, address(burner), 9, "");
        checkSent(ethCall(address(burner), ALICE, 9, ""), 9, bridge.REFUND_GAS_LIMIT());
    }

    /// @dev A deposit pays no gas price: its origin may be the alias of a contract of L1.
    function test_whoCallsByADepositMustNameARecipient() public {
        vm.fee(1);
        vm.txGasPrice(0);
        vm.expectRevert(abi.encodeWithSelector(L2StandardBridge.NotExternallyOwned.selector, ALICE));
        vm.prank(ALICE, ALICE);
        bridge.bridgeETH{value: 1}(0, "");
        vm.prank(ALICE, ALICE);
        bridge.bridgeETHTo{value: 1}(BOB, 0, "");
        vm.txGasPrice(1);
        vm.prank(ALICE, ALICE);
        bridge.bridgeETH{value: 1}(0, "");
        vm.txGasPrice(0);
        vm.etch(ALICE, abi.encodePacked(hex"ef0100", BOB));
        vm.prank(ALICE, ALICE);
        bridge.bridgeETH{value: 1}(0, "");
    }

    /// @dev Want of gas is no refund: the message fails, and succeeds with more.
    function test_wantOfGasIsReplayed() public {
        GasHungry hungry = new GasHungry(L1_TOKEN, 1_000_000);
        bytes32 hash = deliver2(nonceOf(0), tokenCall(address(hungry), L1_TOKEN, ALICE, BOB, 9), 700_000);
        vm.assertTrue(messenger.failedMessages(hash), "failed");
        messenger.relayMessage(
            nonceOf(0), L1_BRIDGE, address(bridge), 0, 200_000, tokenCall(address(hungry), L1_TOKEN, ALICE, BOB, 9)
        );
        vm.assertTrue(messenger.successfulMessages(hash), "replayed");
        vm.assertEq(hungry.minted(), 9, "minted");
    }

    function deliver2(uint256 nonce, bytes memory data, uint256 gasLimit) internal returns (bytes32) {
        address peer = address(uint160(L1_MESSENGER) + uint160(0x1111000000000000000000000000000000001111));
        vm.prank(peer, peer);
        messenger.relayMessage{gas: gasLimit}(nonce, L1_BRIDGE, address(bridge), 0, 200_000, data);
        return messageHash(nonce, L1_BRIDGE, address(bridge), 0, 200_000, data);
    }

    function test_onlyTheBridgeOfL1Deposits() public {
        bytes memory refusal = abi.encodeWithSelector(L2StandardBridge.NotTheOtherBridge.selector, L1_BRIDGE);
        vm.expectRevert(refusal);
        vm.prank(L1_BRIDGE);
        bridge.finalizeBridgeETH(ALICE, BOB, 0, "");
        vm.expectRevert(refusal);
        vm.prank(L1_BRIDGE);
        bridge.finalizeBridgeERC20(address(token), L1_TOKEN, ALICE, BOB, 1, "");
        bytes32 hash =
            deliver(nonceOf(0), ALICE, address(bridge), 0, tokenCall(address(token), L1_TOKEN, ALICE, BOB, 9));
        vm.assertTrue(messenger.failedMessages(hash), "a message of another sender fails");
        vm.assertEq(token.balanceOf(BOB), 0, "nothing is minted");
        hash = deliver(nonceOf(1), L1_BRIDGE, address(bridge), 1, ethCall(ALICE, BOB, 2, ""));
        vm.assertTrue(messenger.failedMessages(hash), "value must be the amount");
        vm.expectRevert(abi.encodeWithSelector(L2StandardBridge.NotSelf.selector, ALICE));
        vm.prank(ALICE);
        bridge.giveERC20(address(token), L1_TOKEN, ALICE, 1);
    }

    function test_getters() public view {
        vm.assertEq(bridge.OTHER_BRIDGE(), L1_BRIDGE, "other");
        vm.assertEq(bridge.l1TokenBridge(), L1_BRIDGE, "other");
        vm.assertEq(address(bridge.MESSENGER()), address(messenger), "messenger");
        vm.assertTrue(!bridge.paused(), "paused");
        vm.assertEq(bytes(bridge.version()), "2.1.0", "version");
    }

    /// @dev Whatever is deposited and withdrawn: supply is what arrived and has not left.
    function testFuzz_supplyIsWhatArrivedLessWhatLeft(uint96[8] memory amounts) public {
        uint256 supply = token.totalSupply();
        for (uint240 i = 0; i < amounts.length; i++) {
            if (amounts[i] % 2 == 0) {
                deliver(
                    nonceOf(i),
                    L1_BRIDGE,
                    address(bridge),
                    0,
                    tokenCall(address(token), L1_TOKEN, BOB, ALICE, amounts[i])
                );
                supply += amounts[i];
            } else {
                uint256 amount = amounts[i] % (token.balanceOf(ALICE) + 1);
                vm.prank(ALICE, ALICE);
                bridge.bridgeERC20(address(token), L1_TOKEN, amount, 0, "");
                supply -= amount;
            }
            vm.assertEq(token.totalSupply(), supply, "supply");
        }
    }
}

/// @notice A token of the interface before OptimismMintableERC20.
contract LegacyToken is ILegacyMintableERC20, IERC165 {
    address public l1Token;
    mapping(address => uint256) public balanceOf;
    bool internal fails;

    constructor(address remote) {
        l1Token = remote;
    }

    function setFails(bool fails_) external {
        fails = fails_;
    }

    function mint(address to, uint256 amount) external {
        if (fails) revert("told to fail");
        balanceOf[to] += amount;
    }

    function burn(address from, uint256 amount) external {
        balanceOf[from] -= amount;
    }

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == 0x1d1d8b63 || id == type(IERC165).interfaceId;
    }
}

/// @notice A token that needs much gas to be minted.
contract GasHungry is IERC165 {
    address public remoteToken;
    uint256 public minted;
    uint256 internal immutable HUNGER;

    constructor(address remote, uint256 hunger) {
        remoteToken = remote;
        HUNGER = hunger;
    }

    function mint(address, uint256 amount) external {
        uint256 before = gasleft();
        while (before - gasleft() < HUNGER) {}
        minted += amount;
    }

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == 0xec4fc8e3 || id == type(IERC165).interfaceId;
    }
}

/// @notice Passes every call on, as a proxy does, and nothing of the reason of a failure.
contract Forwarder {
    address internal immutable TO;

    constructor(address to) {
        TO = to;
    }

    fallback() external {
        (bool ok, bytes memory out) = TO.call(msg.data);
        require(ok, "failed");
        assembly ("memory-safe") {
            return(add(out, 0x20), mload(out))
        }
    }
}

/// @notice Takes ether by using all gas.
contract Burner {
    receive() external payable {
        while (true) {}
    }
}
