// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {NativeTokenBridge} from "../../src/bridge/NativeTokenBridge.sol";
import {Portal} from "../../src/bridge/Portal.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Base, Vm} from "../Base.sol";
import {World} from "../World.sol";
import {PlainToken} from "../tokens/Tokens.sol";

/// @notice Deposits at random and adds up what the events promise on L2.
contract Depositor is Base {
    Portal public immutable PORTAL;
    PlainToken public immutable TOKEN; // the currency of L2; zero: ether
    uint256 public minted;
    uint256 public blockGas;
    uint256 public worstBlockGas;

    constructor(Portal portal, PlainToken token) {
        PORTAL = portal;
        TOKEN = token;
    }

    function deposit(uint256 seed, uint256 mint, uint256 value, uint64 gasLimit, bool creation, bytes calldata data)
        external
    {
        mint = bound(mint, 0, 1000 ether);
        address user = address(uint160(bound(seed, 1000, 1010)));
        if (address(TOKEN) == address(0)) vm.deal(user, mint);
        else TOKEN.mint(user, mint);
        address origin = seed % 3 == 0 ? address(this) : user;
        gasLimit = uint64(bound(gasLimit, 0, 9_000_000));
        if (address(TOKEN) != address(0)) {
            NativeTokenBridge escrow = NativeTokenBridge(address(PORTAL.NATIVE_ESCROW()));
            vm.prank(user);
            TOKEN.approve(address(escrow), mint);
            vm.recordLogs();
            vm.prank(user, origin);
            try escrow.depositERC20Transaction(address(0), mint, value, gasLimit, creation, data) {} catch {}
        } else {
            vm.recordLogs();
            vm.prank(user, origin);
            try PORTAL.depositTransaction{value: mint}(address(0), value, gasLimit, creation, data) {} catch {}
        }
        _book();
    }

    function transfer(uint256 seed, uint256 value) external {
        value = bound(value, 0, 1000 ether);
        address user = address(uint160(bound(seed, 1000, 1010)));
        vm.deal(user, value);
        vm.recordLogs();
        vm.prank(user, user);
        (bool ok,) = address(PORTAL).call{value: value}("");
        vm.assertTrue(!ok || value == 0 || address(TOKEN) == address(0), "ether taken where it is not the currency");
        if (ok) _book();
    }

    function nextBlock() external {
        vm.roll(block.number + 1);
        blockGas = 0;
    }

    function _book() internal {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].emitter != address(PORTAL)) continue;
            bytes memory opaque = abi.decode(logs[i].data, (bytes));
            uint256 mint;
            uint256 gasLimit;
            for (uint256 j = 0; j < 32; j++) {
                mint = (mint << 8) | uint8(opaque[j]);
            }
            for (uint256 j = 64; j < 72; j++) {
                gasLimit = (gasLimit << 8) | uint8(opaque[j]);
            }
            minted += mint;
            blockGas += gasLimit;
            if (blockGas > worstBlockGas) worstBlockGas = blockGas;
        }
    }
}

contract PortalInvariantTest is World {
    uint256 internal constant MAX_BLOCK_GAS = 20_000_000;
    Depositor internal depositor;

    function setUp() public virtual {
        deployWorld(IERC20(address(0)));
        depositor = new Depositor(portal, PlainToken(address(0)));
    }

    /// @dev Read by forge: calls go to the depositor alone.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(depositor);
    }

    /// @dev What is locked of the currency.
    function locked() internal view virtual returns (uint256) {
        return address(portal).balance;
    }

    function invariant_depositsAddUp() external view {
        vm.assertEq(locked(), depositor.minted(), "what is locked is what is minted");
        vm.assertTrue(depositor.worstBlockGas() <= MAX_BLOCK_GAS, "gas of a block");
        vm.assertEq(portal.availableGas(), MAX_BLOCK_GAS - depositor.blockGas(), "available gas");
    }
}

/// @notice The same where a token of L1 is the currency.
contract TokenPortalInvariantTest is PortalInvariantTest {
    PlainToken internal token;

    function setUp() public override {
        token = new PlainToken();
        deployWorld(token);
        depositor = new Depositor(portal, token);
    }

    function locked() internal view override returns (uint256) {
        vm.assertEq(address(portal).balance, 0, "ether in the portal");
        vm.assertEq(nativeBridge.locked(), token.balanceOf(address(nativeBridge)), "held and booked");
        return nativeBridge.locked();
    }
}
