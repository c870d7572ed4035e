// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Portal} from "../../src/bridge/Portal.sol";
import {ResourceMetering} from "../../src/bridge/ResourceMetering.sol";
import {SystemConfig} from "../../src/rollup/SystemConfig.sol";
import {AddressAlias} from "../../src/libraries/AddressAlias.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Vm} from "../Base.sol";
import {World} from "../World.sol";

contract PortalTest is World {
    function setUp() public {
        deployWorld(IERC20(address(0)));
        vm.deal(USER, 1000 ether);
        vm.deal(RELAY, 1000 ether);
    }

    /// @dev Reads the one event of the latest call.
    function expectDeposit(address from, address to, bytes memory opaqueData) internal {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 1, "events");
        vm.assertEq(logs[0].emitter, address(portal), "emitter");
        vm.assertEq(logs[0].topics.length, 4, "topics");
        vm.assertEq(logs[0].topics[0], keccak256("TransactionDeposited(address,address,uint256,bytes)"), "event");
        vm.assertEq(logs[0].topics[1], bytes32(uint256(uint160(from))), "from");
        vm.assertEq(logs[0].topics[2], bytes32(uint256(uint160(to))), "to");
        vm.assertEq(logs[0].topics[3], bytes32(0), "version");
        vm.assertEq(abi.decode(logs[0].data, (bytes)), opaqueData, "opaque data");
    }

    function test_depositOfAnAccountKeepsItsAddress() public {
        vm.recordLogs();
        vm.prank(USER, USER);
        portal.depositTransaction{value: 3 ether}(TARGET, 1 ether, 100_000, false, hex"c0ffee");
        expectDeposit(
            USER, TARGET, abi.encodePacked(uint256(3 ether), uint256(1 ether), uint64(100_000), false, hex"c0ffee")
        );
        vm.assertEq(address(portal).balance, 3 ether, "locked ether");
    }

    function test_depositOfAContractIsAliased() public {
        vm.recordLogs();
        vm.prank(RELAY, USER);
        portal.depositTransaction(TARGET, 0, 100_000, false, "");
        expectDeposit(
            address(uint160(0x1111000000000000000000000000000000001111) + uint160(RELAY)),
            TARGET,
            abi.encodePacked(uint256(0), uint256(0), uint64(100_000), false)
        );
    }

    function test_delegatedAccountIsNotAliasedAsOrigin() public {
        vm.etch(USER, abi.encodePacked(hex"ef0100", RELAY));
        vm.recordLogs();
        vm.prank(USER, USER);
        portal.depositTransaction(TARGET, 0, 100_000, false, "");
        expectDeposit(USER, TARGET, abi.encodePacked(uint256(0), uint256(0), uint64(100_000), false));
    }

    function test_delegatedAccountIsNotAliasedWhenAnotherPays() public {
        vm.etch(USER, abi.encodePacked(hex"ef0100", RELAY));
        vm.recordLogs();
        vm.prank(USER, RELAY);
        portal.depositTransaction(TARGET, 0, 100_000, false, "");
        expectDeposit(USER, TARGET, abi.encodePacked(uint256(0), uint256(0), uint64(100_000), false));
    }

    function test_contractOfTwentyThreeBytesIsAliased() public {
        vm.etch(RELAY, abi.encodePacked(hex"600100", USER));
        vm.recordLogs();
        vm.prank(RELAY, USER);
        portal.depositTransaction(TARGET, 0, 100_000, false, "");
        expectDeposit(
            AddressAlias.toL2(RELAY), TARGET, abi.encodePacked(uint256(0), uint256(0), uint64(100_000), false)
        );
    }

    function test_creationHasNoTarget() public {
        vm.recordLogs();
        vm.prank(USER, USER);
        portal.depositTransaction(address(0), 0, 100_000, true, hex"60016000f3");
        expectDeposit(
            USER, address(0), abi.encodePacked(uint256(0), uint256(0), uint64(100_000), true, hex"60016000f3")
        );
    }

    function test_creationWithATargetIsRefused() public {
        vm.expectRevert(abi.encodeWithSelector(Portal.OptimismPortal_BadTarget.selector));
        portal.depositTransaction(TARGET, 0, 100_000, true, "");
    }

    function test_dataUpToTheLimitPasses() public {
        portal.depositTransaction(TARGET, 0, 10_000_000, false, new bytes(120_000));
    }

    function test_longerDataIsRefused() public {
        vm.expectRevert(abi.encodeWithSelector(Portal.OptimismPortal_CalldataTooLarge.selector));
        portal.depositTransaction(TARGET, 0, 10_000_000, false, new bytes(120_001));
    }

    function test_gasBelowTheMinimumIsRefused() public {
        vm.assertEq(portal.minimumGasLimit(0), 21_000, "minimum of an empty call");
        vm.assertEq(portal.minimumGasLimit(10), 21_400, "minimum of ten bytes");
        portal.depositTransaction(TARGET, 0, 21_400, false, new bytes(10));
        vm.expectRevert(abi.encodeWithSelector(Portal.OptimismPortal_GasLimitTooLow.selector));
        portal.depositTransaction(TARGET, 0, 21_399, false, new bytes(10));
    }

    function test_gasOfOneBlockIsBounded() public {
        vm.roll(110);
        portal.depositTransaction(TARGET, 0, 15_000_000, false, "");
        vm.assertEq(portal.availableGas(), 5_000_000, "available after the first");
        vm.expectRevert(
            abi.encodeWithSelector(ResourceMetering.BlockGasExceeded.selector, uint64(5_000_001), uint64(5_000_000))
        );
        portal.depositTransaction(TARGET, 0, 5_000_001, false, "");
        portal.depositTransaction(TARGET, 0, 5_000_000, false, "");
        vm.assertEq(portal.availableGas(), 0, "available when full");

        vm.roll(111);
        vm.assertEq(portal.availableGas(), 20_000_000, "available in the next block");
        portal.depositTransaction(TARGET, 0, 20_000_000, false, "");
        vm.assertEq(portal.availableGas(), 0, "available after a full one");
    }

    function test_gasAboveABlocksBoundNeverFits() public {
        vm.expectRevert(
            abi.encodeWithSelector(ResourceMetering.BlockGasExceeded.selector, type(uint64).max, uint64(20_000_000))
        );
        portal.depositTransaction(TARGET, 0, type(uint64).max, false, "");
    }

    function lastPrice() internal view returns (uint256 price) {
        (price,,) = portal.params();
    }

    function gasOf(uint64 amount) internal returns (uint256 used) {
        used = gasleft();
        portal.depositTransaction(TARGET, 0, amount, false, "");
        used -= gasleft();
    }

    function test_theMarketsParametersAreTheSpecifications() public {
        SystemConfig.ResourceConfig memory c = config.resourceConfig();
        vm.assertEq(c.maxResourceLimit, 20_000_000, "limit");
        vm.assertEq(c.elasticityMultiplier, 10, "elasticity");
        vm.assertEq(c.baseFeeMaxChangeDenominator, 8, "denominator");
        vm.assertEq(c.minimumBaseFee, 0.1 gwei, "lowest price");
        vm.assertEq(c.systemTxMaxGas, 1_000_000, "attributes");
        portal.depositTransaction(TARGET, 0, 300_000, false, "");
        (uint128 price, uint64 bought, uint64 number) = portal.params();
        vm.assertEq(price, 0.1 gwei, "first price");
        vm.assertEq(bought, 300_000, "bought");
        vm.assertEq(number, 100, "block");
        portal.depositTransaction(TARGET, 0, 100_000, false, "");
        (price, bought, number) = portal.params();
        vm.assertTrue(price == 0.1 gwei && bought == 400_000 && number == 100, "added up");
    }

    function test_aFullBlockMakesTheNextDearer() public {
        portal.depositTransaction(TARGET, 0, 20_000_000, false, "");
        vm.roll(101);
        vm.assertEq(portal.depositBaseFee(), 0.2125 gwei, "112.5 % dearer");
        portal.depositTransaction(TARGET, 0, 2_000_000, false, "");
        vm.roll(102);
        vm.assertEq(portal.depositBaseFee(), 0.2125 gwei, "as much as meant: the same");
        vm.roll(103);
        vm.assertEq(portal.depositBaseFee(), 0.2125 gwei * 7 / 8, "an empty block: an eighth less");
        vm.roll(104);
        vm.assertEq(portal.depositBaseFee(), uint256(0.2125 gwei) * 49 / 64, "two: a quarter less");
        vm.roll(10_000_000);
        vm.assertEq(portal.depositBaseFee(), 0.1 gwei, "not below the lowest");
    }

    function test_thePriceIsBurnedInGas() public {
        vm.fee(1 gwei);
        gasOf(21_000);
        // 0.1 gwei for gas of 1 gwei: a tenth, which a small deposit uses anyway.
        uint256 small = gasOf(21_000);
        vm.assertTrue(gasOf(50_000) < small + 1000, "small");
        uint256 used = gasOf(5_000_000);
        vm.assertTrue(used > 500_000 && used < 510_000, "large");
        vm.roll(101);
        vm.fee(10 gwei);
        vm.assertTrue(gasOf(5_000_000) < 80_000, "gas that is dear itself");
        vm.roll(102);
        vm.fee(1);
        used = gasOf(5_000_000);
        uint256 want = 5_000_000 * lastPrice() / 1 gwei;
        vm.assertTrue(used > want && used < want + 10_000, "gas below 1 gwei counts as 1 gwei");
    }

    function test_aDepositWithTooLittleGasSaysHowMuchItTakes() public {
        vm.fee(1 gwei);
        vm.expectPartialRevert(ResourceMetering.NotEnoughGasToBurn.selector);
        portal.depositTransaction{gas: 1_000_000}(TARGET, 0, 20_000_000, false, "");
    }

    /// @dev What it takes to shut everybody else out of consecutive blocks of L1.
    function test_shuttingOthersOutSoonTakesMoreThanABlockHas() public {
        vm.fee(1 gwei);
        uint256 cost;
        for (uint256 i = 0; i < 6; i++) {
            vm.roll(101 + i);
            cost = uint256(20_000_000) * portal.depositBaseFee() / 1 gwei;
            portal.depositTransaction{gas: cost * 64 / 63 + 1_000_000}(TARGET, 0, 20_000_000, false, "");
        }
        vm.assertTrue(cost > 60_000_000, "the sixth needs more gas than a block of L1 has");
    }

    /// How many L1 blocks in a row one can fill with deposits, at two gas limits of L1's blocks.
    function test_shuttingOthersOutLastsElevenBlocksWhereGasIsDear() public {
        shutOut(1 gwei, 36_000_000, 4, 0.03 ether, 0.04 ether);
        shutOut(30 gwei, 36_000_000, 9, 1.5 ether, 1.6 ether);
        shutOut(100 gwei, 36_000_000, 10, 3.3 ether, 3.4 ether);
        shutOut(1 gwei, 60_000_000, 5, 0.07 ether, 0.08 ether);
        shutOut(30 gwei, 60_000_000, 10, 3.3 ether, 3.4 ether);
        shutOut(100 gwei, 60_000_000, 11, 7 ether, 7.2 ether);
    }

    function shutOut(uint256 fee, uint256 blockGas, uint256 blocks, uint256 least, uint256 most) internal {
        vm.fee(fee);
        uint256 number = vm.getBlockNumber() + 1000;
        vm.roll(number);
        uint256 filled;
        uint256 cost;
        uint256 burned = 20_000_000 * uint256(portal.depositBaseFee()) / fee;
        for (; burned <= blockGas; burned = 20_000_000 * uint256(portal.depositBaseFee()) / fee) {
            cost += burned * fee;
            portal.depositTransaction{gas: burned * 64 / 63 + 1_000_000}(TARGET, 0, 20_000_000, false, "");
            vm.roll(++number);
            filled++;
        }
        vm.assertEq(filled, blocks, "blocks in a row");
        vm.assertTrue(cost > least && cost < most, "cost");
    }

    function test_aDepositTakesAsMuchGasInEveryBlock() public {
        gasOf(21_000);
        uint256 first = gasOf(21_000); // as it is estimated, in the block of another
        for (uint256 blocks = 1; blocks < 2000; blocks = blocks * 5 / 4 + 1) {
            vm.roll(block.number + blocks);
            vm.assertEq(gasOf(21_000), first, "gas");
        }
    }

    function testFuzz_thePriceFollowsWhatWasBought(uint32 bought, uint16 empty) public {
        vm.fee(1000 gwei);
        uint64 amount = uint64(bound(bought, 21_000, 20_000_000));
        for (uint256 i = 0; i < 3; i++) {
            portal.depositTransaction(TARGET, 0, 20_000_000, false, "");
            vm.roll(block.number + 1);
        }
        portal.depositTransaction(TARGET, 0, amount, false, "");
        uint256 price = lastPrice();
        vm.roll(block.number + 1);
        uint256 next = portal.depositBaseFee();
        if (amount > 2_000_000) vm.assertTrue(next > price && next <= price * 2125 / 1000, "dearer");
        else vm.assertTrue(next <= price && next >= price * 875 / 1000, "cheaper");
        vm.roll(block.number + empty);
        vm.assertTrue(portal.depositBaseFee() <= next && portal.depositBaseFee() >= 0.1 gwei, "falls to the lowest");
    }

    function test_plainTransferDepositsToTheSender() public {
        vm.recordLogs();
        vm.prank(USER, USER);
        (bool ok,) = address(portal).call{value: 2 ether}("");
        vm.assertTrue(ok, "transfer");
        expectDeposit(USER, USER, abi.encodePacked(uint256(2 ether), uint256(2 ether), uint64(100_000), false));
    }

    function testFuzz_everyDepositIsRecordedExactly(
        address to,
        uint256 mint,
        uint256 value,
        uint64 gasLimit,
        bool creation,
        bytes calldata data
    ) public {
        if (creation) to = address(0);
        mint = bound(mint, 0, 1000 ether);
        gasLimit = uint64(bound(gasLimit, 21_000 + 40 * data.length, 20_000_000));
        vm.recordLogs();
        vm.prank(USER, USER);
        portal.depositTransaction{value: mint}(to, value, gasLimit, creation, data);
        expectDeposit(USER, to, abi.encodePacked(mint, value, gasLimit, creation, data));
        vm.assertEq(address(portal).balance, mint, "locked ether");
        vm.assertEq(portal.availableGas(), 20_000_000 - gasLimit, "available gas");
    }

    function testFuzz_refusedDepositLeavesNothing(uint64 gasLimit, bytes calldata data) public {
        uint64 minimum = portal.minimumGasLimit(uint64(data.length));
        vm.assume(gasLimit < minimum || gasLimit > 20_000_000);
        vm.expectRevert();
        vm.prank(USER, USER);
        portal.depositTransaction{value: 1 ether}(TARGET, 0, gasLimit, false, data);
        vm.assertEq(address(portal).balance, 0, "locked ether");
        vm.assertEq(portal.availableGas(), 20_000_000, "available gas");
    }
}
