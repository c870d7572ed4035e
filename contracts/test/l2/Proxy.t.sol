// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {FeeVault} from "../../src/l2/FeeVault.sol";
import {PredeployAdmin} from "../../src/l2/PredeployAdmin.sol";
import {PredeployProxy} from "../../src/l2/PredeployProxy.sol";
import {L2Base, Target} from "./L2Base.sol";

contract PredeployProxyTest is L2Base {
    bytes32 internal constant IMPLEMENTATION = 0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;
    bytes32 internal constant ADMIN = 0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103;
    PredeployProxy internal proxy;
    address internal vaultCode;
    address internal targetCode;

    function setUp() public override {
        super.setUp();
        proxy = new PredeployProxy();
        vaultCode = address(new FeeVault());
        targetCode = address(new Target());
        genesis.store(address(proxy), IMPLEMENTATION, bytes32(uint256(uint160(vaultCode))));
        genesis.store(address(proxy), ADMIN, bytes32(uint256(uint160(address(admin)))));
    }

    function test_callsAndTransfersReachTheImplementation() public {
        FeeVault vault = FeeVault(payable(address(proxy)));
        vm.prank(OWNER);
        vault.setRecipient(BOB);
        vm.assertEq(vault.recipient(), BOB, "stored in the proxy");
        vm.assertEq(FeeVault(payable(vaultCode)).recipient(), address(0), "not in the implementation");
        (bool ok,) = address(proxy).call{value: 3}("");
        vm.assertTrue(ok, "receives");
        vm.expectRevert(abi.encodeWithSelector(FeeVault.NotTheOwner.selector, ALICE));
        vm.prank(ALICE);
        vault.setRecipient(ALICE);
    }

    function test_theOwnerUpgrades() public {
        vm.prank(OWNER);
        admin.upgrade(proxy, targetCode);
        vm.assertTrue(!Target(payable(address(proxy))).fails(), "new code");
        vm.assertEq(admin.getProxyImplementation(proxy), targetCode, "implementation");
        vm.assertEq(admin.getProxyAdmin(proxy), address(admin), "admin");
        vm.prank(OWNER);
        admin.upgradeAndCall(proxy, targetCode, abi.encodeCall(Target.setFails, (true)));
        vm.assertTrue(Target(payable(address(proxy))).fails(), "called");
    }

    function test_theOwnerHandsOver() public {
        vm.prank(OWNER);
        admin.changeProxyAdmin(proxy, ALICE);
        vm.prank(ALICE);
        vm.assertEq(proxy.implementation(), vaultCode, "implementation");
        vm.prank(ALICE);
        vm.assertEq(proxy.admin(), ALICE, "admin");
    }

    function test_othersUpgradeNothing() public {
        bytes memory refusal = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, ALICE);
        for (uint256 i = 0; i < 3; i++) {
            vm.expectRevert(refusal);
            vm.prank(ALICE);
            if (i == 0) admin.upgrade(proxy, targetCode);
            else if (i == 1) admin.upgradeAndCall(proxy, targetCode, "");
            else admin.changeProxyAdmin(proxy, ALICE);
        }
        // The proxy's own functions are the implementation's for anybody but its admin.
        for (uint256 i = 0; i < 5; i++) {
            vm.expectRevert();
            vm.prank(OWNER);
            if (i == 0) proxy.upgradeTo(targetCode);
            else if (i == 1) proxy.upgradeToAndCall(targetCode, "");
            else if (i == 2) proxy.changeAdmin(OWNER);
            else if (i == 3) proxy.admin();
            else proxy.implementation();
        }
    }

    function test_anUpgradeNeedsCode() public {
        vm.expectRevert();
        vm.prank(OWNER);
        admin.upgrade(proxy, BOB);
    }

    function test_aDeployedAdminHasAnOwner() public {
        vm.assertEq(new PredeployAdmin(BOB).owner(), BOB, "owner");
    }
}
