// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";
import {Initializable} from "@openzeppelin/contracts-upgradeable/proxy/utils/Initializable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";

import {SystemConfig} from "../../src/rollup/SystemConfig.sol";
import {Vm} from "../Base.sol";
import {World} from "../World.sol";

contract SystemConfigTest is World {
    event ConfigUpdate(uint256 indexed version, uint8 indexed updateType, bytes data);

    function setUp() public {
        deployWorld(IERC20(address(0)));
    }

    function expectUpdate(uint8 updateType, bytes memory data) internal {
        expectUpdate(updateType, data, OWNER);
    }

    function expectUpdate(uint8 updateType, bytes memory data, address by) internal {
        vm.expectEmit(address(config));
        emit ConfigUpdate(0, updateType, data);
        vm.prank(by);
    }

    function test_firstSettingsAreHeldAndAnnounced() public {
        vm.assertEq(config.batcherHash(), bytes32(uint256(0xBA7)), "batcher");
        vm.assertEq(config.unsafeBlockSigner(), address(0x5E9), "sequencer");
        vm.assertEq(config.basefeeScalar(), 1368, "base fee scalar");
        vm.assertEq(config.blobbasefeeScalar(), 810_949, "blob base fee scalar");
        vm.assertEq(config.gasLimit(), 10_000_000_000, "gas limit");
        vm.assertEq(config.eip1559Denominator(), 250, "denominator");
        vm.assertEq(config.eip1559Elasticity(), 6, "elasticity");
        vm.assertEq(config.minBaseFee(), 1_000_000, "minimum base fee");
        vm.assertEq(config.daMode(), 0, "data availability");
        vm.assertEq(config.BATCH_INBOX(), address(0xBA7C4), "inbox");
        vm.assertEq(config.L2_CHAIN_ID(), 7411, "chain id");
        vm.assertEq(config.TIMELOCK(), address(timelock), "timelock");
        vm.assertEq(config.version(), "1.2.0", "version");

        address implementation =
            address(new SystemConfig(address(1), 1, address(timelock), IERC20Metadata(address(0)), noBounds()));
        bytes memory setup = abi.encodeCall(SystemConfig.initialize, (OWNER, settings()));
        vm.recordLogs();
        proxied(implementation, setup);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 updates;
        for (uint256 i = 0; i < logs.length; i++) {
            if (logs[i].topics[0] == ConfigUpdate.selector) updates++;
        }
        vm.assertEq(updates, 7, "announced settings");
    }

    function test_eachSettingIsAnnouncedAsSpecified() public {
        expectUpdate(0, abi.encode(address(0xB)));
        config.setBatcherHash(bytes32(uint256(0xB)));
        expectUpdate(1, abi.encode(uint256(0), (uint256(1) << 248) | (uint256(7) << 32) | 5));
        config.setGasConfigEcotone(5, 7);
        expectUpdate(2, abi.encode(uint64(30_000_000)));
        config.setGasLimit(30_000_000);
        expectUpdate(3, abi.encode(address(0x5)));
        config.setUnsafeBlockSigner(address(0x5));
        expectUpdate(4, abi.encode((uint256(50) << 32) | 2));
        config.setEIP1559Params(50, 2);
        expectUpdate(6, abi.encode(uint64(9)));
        config.setMinBaseFee(9);
        expectUpdate(0x80, abi.encode(uint8(2)), address(timelock));
        config.setDAMode(2);

        vm.assertEq(config.batcherHash(), bytes32(uint256(0xB)), "batcher");
        vm.assertEq(config.scalar(), (uint256(1) << 248) | (uint256(7) << 32) | 5, "scalar");
        vm.assertEq(config.gasLimit(), 30_000_000, "gas limit");
        vm.assertEq(config.unsafeBlockSigner(), address(0x5), "sequencer");
        vm.assertEq(config.eip1559Denominator(), 50, "denominator");
        vm.assertEq(config.eip1559Elasticity(), 2, "elasticity");
        vm.assertEq(config.minBaseFee(), 9, "minimum base fee");
        vm.assertEq(config.daMode(), 2, "data availability");
    }

    function outOfRange(uint8 updateType, uint256 value, uint256 min, uint256 max) internal {
        vm.expectRevert(abi.encodeWithSelector(SystemConfig.OutOfRange.selector, updateType, value, min, max));
        vm.prank(OWNER);
    }

    function test_whatIsOutOfRangeIsRefused() public {
        outOfRange(1, 1_000_000_001, 0, 1_000_000_000);
        config.setGasConfigEcotone(1_000_000_001, 0);
        outOfRange(1, 1_000_000_001, 0, 1_000_000_000);
        config.setGasConfigEcotone(0, 1_000_000_001);
        outOfRange(2, 29_999_999, 30_000_000, 100_000_000_000);
        config.setGasLimit(29_999_999);
        outOfRange(2, 100_000_000_001, 30_000_000, 100_000_000_000);
        config.setGasLimit(100_000_000_001);
        outOfRange(4, 1, 2, 100_000);
        config.setEIP1559Params(1, 2);
        outOfRange(4, 0, 1, 100);
        config.setEIP1559Params(50, 0);
        outOfRange(6, 1e12 + 1, 0, 1e12);
        config.setMinBaseFee(1e12 + 1);
        vm.expectRevert(abi.encodeWithSelector(SystemConfig.OutOfRange.selector, 0x80, 3, 0, 2));
        vm.prank(address(timelock));
        config.setDAMode(3);
        vm.expectRevert(SystemConfig.ZeroAddress.selector);
        vm.prank(OWNER);
        config.setBatcherHash(0);
        vm.expectRevert(SystemConfig.ZeroAddress.selector);
        vm.prank(OWNER);
        config.setUnsafeBlockSigner(address(0));
        vm.expectRevert(abi.encodeWithSelector(SystemConfig.BadBatcherHash.selector, bytes32(uint256(1) << 160)));
        vm.prank(OWNER);
        config.setBatcherHash(bytes32(uint256(1) << 160));
    }

    function test_onlyTheOwnerSets() public {
        bytes[6] memory calls = [
            abi.encodeCall(SystemConfig.setBatcherHash, (bytes32(uint256(1)))),
            abi.encodeCall(SystemConfig.setUnsafeBlockSigner, (USER)),
            abi.encodeCall(SystemConfig.setGasConfigEcotone, (1, 1)),
            abi.encodeCall(SystemConfig.setGasLimit, (30_000_000)),
            abi.encodeCall(SystemConfig.setEIP1559Params, (50, 2)),
            abi.encodeCall(SystemConfig.setMinBaseFee, (1))
        ];
        for (uint256 i = 0; i < calls.length; i++) {
            vm.prank(USER);
            (bool ok, bytes memory reason) = address(config).call(calls[i]);
            vm.assertTrue(!ok, "a stranger set something");
            vm.assertEq(
                reason, abi.encodeWithSelector(OwnableUpgradeable.OwnableUnauthorizedAccount.selector, USER), "reason"
            );
        }
    }

    /// @dev Whoever disagrees has the timelock's delay in which to leave.
    function test_whereBatchesLieIsTheTimelocksAlone() public {
        address[2] memory others = [OWNER, USER];
        for (uint256 i = 0; i < others.length; i++) {
            vm.expectRevert(abi.encodeWithSelector(SystemConfig.NotTimelock.selector, others[i]));
            vm.prank(others[i]);
            config.setDAMode(0);
        }
        bytes memory call = abi.encodeCall(SystemConfig.setDAMode, (1));
        vm.prank(OWNER);
        timelock.schedule(address(config), 0, call, 0, 0, 10 days);
        vm.warp(block.timestamp + 10 days - 1);
        vm.expectRevert();
        timelock.execute(address(config), 0, call, 0, 0);
        vm.assertEq(config.daMode(), 0, "mode before the delay is over");
        vm.warp(block.timestamp + 1);
        timelock.execute(address(config), 0, call, 0, 0);
        vm.assertEq(config.daMode(), 1, "mode behind it");
    }

    function test_setUpOnceAndOnlyBehindItsProxy() public {
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        config.initialize(USER, settings());
        SystemConfig implementation =
            new SystemConfig(address(1), 1, address(timelock), IERC20Metadata(address(0)), noBounds());
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        implementation.initialize(USER, settings());
        vm.expectRevert(SystemConfig.ZeroAddress.selector);
        new SystemConfig(address(1), 1, address(0), IERC20Metadata(address(0)), noBounds());
    }

    function testFuzz_whatIsInRangeIsSet(uint32 base, uint32 blob, uint64 gas, uint32 denominator, uint32 elasticity)
        public
    {
        base = uint32(bound(base, 0, 1_000_000_000));
        blob = uint32(bound(blob, 0, 1_000_000_000));
        gas = uint64(bound(gas, 30_000_000, 100_000_000_000));
        denominator = uint32(bound(denominator, 2, 100_000));
        elasticity = uint32(bound(elasticity, 1, 100));
        vm.startPrank(OWNER);
        config.setGasConfigEcotone(base, blob);
        config.setGasLimit(gas);
        config.setEIP1559Params(denominator, elasticity);
        vm.stopPrank();
        vm.assertEq(config.scalar(), (uint256(1) << 248) | (uint256(blob) << 32) | base, "scalar");
        vm.assertEq(config.gasLimit(), gas, "gas limit");
        vm.assertEq(config.eip1559Denominator(), denominator, "denominator");
        vm.assertEq(config.eip1559Elasticity(), elasticity, "elasticity");
    }
}
