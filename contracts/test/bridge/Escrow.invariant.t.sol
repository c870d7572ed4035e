// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IStandardBridge} from "../../src/interfaces/IStandardBridge.sol";
import {FeeToken, PlainToken, RebasingToken} from "../tokens/Tokens.sol";
import {BridgeWorld} from "./L1StandardBridge.t.sol";

/// @notice Bridges tokens of several kinds both ways and knows what L2 has issued. Ether is
///         one of them where the currency is another.
contract Bridger is BridgeWorld {
    PlainToken public immutable PLAIN = new PlainToken();
    FeeToken public immutable FEE = new FeeToken();
    RebasingToken public immutable REBASING = new RebasingToken();
    mapping(address token => uint256) public issued; // on L2
    uint256 public shrunk; // of the rebasing token, below what is owed

    bool public immutable WITH_ETHER;

    constructor(IERC20 currency) {
        deployWorld(currency);
        WITH_ETHER = address(currency) != address(0);
        vm.startPrank(USER);
        PLAIN.approve(address(bridge), type(uint256).max);
        FEE.approve(address(bridge), type(uint256).max);
        REBASING.approve(address(bridge), type(uint256).max);
        vm.stopPrank();
    }

    function tokenOf(uint256 which) public view returns (address) {
        if (WITH_ETHER && which % 4 == 3) return bridge.ETHER();
        return which % 3 == 0 ? address(PLAIN) : which % 3 == 1 ? address(FEE) : address(REBASING);
    }

    function deposit(uint256 which, uint256 amount) external {
        address token = tokenOf(which);
        amount = bound(amount, 1, 1e30);
        if (token == bridge.ETHER()) {
            vm.deal(USER, amount);
            vm.prank(USER, USER);
            bridge.depositETH{value: amount}(0, "");
            issued[token] += amount;
            vm.roll(block.number + 1);
            return;
        }
        PlainToken(token).mint(USER, amount); // all three have it
        uint256 before = bridge.owed(token);
        vm.prank(USER, USER);
        try bridge.depositERC20(token, L2_TOKEN, amount, 0, "") {
            issued[token] += bridge.owed(token) - before;
        } catch {}
        vm.roll(block.number + 1);
    }

    function back(uint256 which, uint256 amount) external {
        address token = tokenOf(which);
        amount = bound(amount, 0, issued[token]);
        if (amount == 0 || sent > 30) return;
        address l2Token = token == bridge.ETHER() ? L2_ETHER : L2_TOKEN;
        bytes32 hash =
            fromL2(0, abi.encodeCall(IStandardBridge.finalizeBridgeERC20, (token, l2Token, USER, TARGET, amount, "")));
        if (messenger.successfulMessages(hash)) issued[token] -= amount;
    }

    function shrink(uint256 amount) external {
        amount = bound(amount, 0, REBASING.balanceOf(address(bridge)) / 10);
        REBASING.shrink(address(bridge), amount);
        shrunk += amount;
    }

    function books(uint256 which) external view returns (uint256 held, uint256 owed, uint256 onL2) {
        address token = tokenOf(which);
        held = token == bridge.ETHER() ? address(bridge).balance : IERC20(token).balanceOf(address(bridge));
        return (held, bridge.owed(token), issued[token]);
    }
}

contract EscrowInvariantTest is BridgeWorld {
    Bridger internal bridger;

    function setUp() public virtual {
        bridger = new Bridger(IERC20(address(0)));
    }

    /// @dev Read by forge: calls go to the bridger alone.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(bridger);
    }

    function invariant_tokensHeldCoverTokensIssued() external view {
        for (uint256 i = 0; i < (bridger.WITH_ETHER() ? 4 : 3); i++) {
            (uint256 held, uint256 owed, uint256 onL2) = bridger.books(i);
            vm.assertEq(owed, onL2, "owed is what L2 has issued");
            // A token that shrinks by itself loses that and no more.
            vm.assertTrue(held + (i == 2 ? bridger.shrunk() : 0) >= owed, "held");
        }
    }
}

/// @notice The same where a token of L1 is the currency, and ether a token of L2.
contract TokenEscrowInvariantTest is EscrowInvariantTest {
    function setUp() public override {
        bridger = new Bridger(new PlainToken());
    }
}
