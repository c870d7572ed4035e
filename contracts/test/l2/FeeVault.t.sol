// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FeeVault} from "../../src/l2/FeeVault.sol";
import {Predeploys} from "../../src/l2/Predeploys.sol";
import {SequencerFeeVault} from "../../src/l2/SequencerFeeVault.sol";
import {L2Base, Target} from "./L2Base.sol";

contract FeeVaultTest is L2Base {
    FeeVault internal vault = FeeVault(payable(Predeploys.BASE_FEE_VAULT));

    function configure(FeeVault.WithdrawalNetwork network, uint256 minimum) internal {
        vm.prank(OWNER);
        vault.setRecipient(BOB);
        vm.prank(OWNER);
        vault.setWithdrawalNetwork(network);
        vm.prank(OWNER);
        vault.setMinWithdrawalAmount(minimum);
    }

    function test_anybodyPaysOutToL1() public {
        configure(FeeVault.WithdrawalNetwork.L1, 5);
        vm.deal(address(vault), 7);
        vm.recordLogs();
        vm.expectEmit(address(vault));
        emit FeeVault.Withdrawal(7, BOB, ALICE);
        vm.expectEmit(address(vault));
        emit FeeVault.Withdrawal(7, BOB, ALICE, FeeVault.WithdrawalNetwork.L1);
        vm.prank(ALICE);
        vm.assertEq(vault.withdraw(), 7, "amount");
        (address from, address to, uint256 value, uint256 gasLimit, bytes memory data) = withdrawal();
        vm.assertEq(from, address(vault), "from");
        vm.assertEq(to, BOB, "to");
        vm.assertEq(value, 7, "value");
        vm.assertEq(gasLimit, 400_000, "gas");
        vm.assertEq(data, "", "data");
        vm.assertEq(vault.totalProcessed(), 7, "total");
    }

    function test_anybodyPaysOutToL2() public {
        configure(FeeVault.WithdrawalNetwork.L2, 0);
        (bool ok,) = address(vault).call{value: 7}("");
        vm.assertTrue(ok, "takes fees");
        vault.withdraw();
        vm.assertEq(BOB.balance, 7, "balance");
        vm.assertEq(address(vault).balance, 0, "vault");
    }

    function test_lessThanTheMinimumStays() public {
        configure(FeeVault.WithdrawalNetwork.L1, 5);
        vm.deal(address(vault), 4);
        vm.expectRevert(abi.encodeWithSelector(FeeVault.BelowMinimum.selector, 4, 5));
        vault.withdraw();
    }

    function test_withoutARecipientFeesStay() public {
        vm.expectRevert(abi.encodeWithSelector(FeeVault.NoRecipient.selector));
        vault.withdraw();
    }

    function test_aRecipientThatRefusesGetsNothing() public {
        Target target = new Target();
        target.setFails(true);
        configure(FeeVault.WithdrawalNetwork.L2, 0);
        vm.prank(OWNER);
        vault.setRecipient(address(target));
        vm.deal(address(vault), 4);
        vm.expectRevert(abi.encodeWithSelector(FeeVault.TransferRefused.selector, address(target)));
        vault.withdraw();
    }

    function test_theOwnerOfThePredeploysSetsItUp() public {
        vm.expectEmit(address(vault));
        emit FeeVault.RecipientUpdated(address(0), BOB);
        vm.prank(OWNER);
        vault.setRecipient(BOB);
        vm.expectEmit(address(vault));
        emit FeeVault.WithdrawalNetworkUpdated(FeeVault.WithdrawalNetwork.L1, FeeVault.WithdrawalNetwork.L2);
        vm.prank(OWNER);
        vault.setWithdrawalNetwork(FeeVault.WithdrawalNetwork.L2);
        vm.expectEmit(address(vault));
        emit FeeVault.MinWithdrawalAmountUpdated(0, 9);
        vm.prank(OWNER);
        vault.setMinWithdrawalAmount(9);
        vm.assertEq(vault.RECIPIENT(), BOB, "recipient");
        vm.assertTrue(vault.WITHDRAWAL_NETWORK() == FeeVault.WithdrawalNetwork.L2, "network");
        vm.assertEq(vault.MIN_WITHDRAWAL_AMOUNT(), 9, "minimum");
        vm.assertEq(bytes(vault.version()), "1.0.0", "version");
    }

    function test_othersSetNothing() public {
        bytes memory refusal = abi.encodeWithSelector(FeeVault.NotTheOwner.selector, ALICE);
        for (uint256 i = 0; i < 3; i++) {
            vm.expectRevert(refusal);
            vm.prank(ALICE);
            if (i == 0) vault.setRecipient(ALICE);
            else if (i == 1) vault.setMinWithdrawalAmount(0);
            else vault.setWithdrawalNetwork(FeeVault.WithdrawalNetwork.L2);
        }
    }

    function test_theSequencersVaultHasItsFormerGetter() public {
        SequencerFeeVault sequencer = SequencerFeeVault(payable(Predeploys.SEQUENCER_FEE_WALLET));
        vm.prank(OWNER);
        sequencer.setRecipient(BOB);
        vm.assertEq(sequencer.l1FeeWallet(), BOB, "wallet");
    }
}
